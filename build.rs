//! Links `log-usage` statically where a static C library is to be had. It is started for every row,
//! and a dynamic start costs more than the row: the loader alone maps four libraries. `usage-report`
//! stays dynamic, but for libgcc_s.
//!
//! `crt-static` would do this for both programs and break proc-macros, so the linker is told for
//! each program by itself. rustc names the C library and libgcc_s as dynamic libraries; linker
//! scripts of these names, found first, point to the static archives.

#![allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = "log-usage";
const READER: &str = "usage-report";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CC");
    let var = |name| env::var(name).unwrap_or_default();
    let is_native = var("TARGET") == var("HOST");
    // Other systems have no static C library, or (musl) link statically by themselves.
    if var("CARGO_CFG_TARGET_OS") != "linux" || var("CARGO_CFG_TARGET_ENV") != "gnu" || !is_native {
        return Ok(());
    }
    let out = PathBuf::from(var("OUT_DIR"));
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let [Some(libc), Some(libgcc), Some(libgcc_eh)] =
        ["libc.a", "libgcc.a", "libgcc_eh.a"].map(|name| archive(&compiler, name))
    else {
        return warn("no static C library was found");
    };
    if !links(&compiler, &out)? {
        return warn("the C compiler cannot link statically");
    }
    // One library less to be mapped; the mathematical one cannot do without the loader.
    let reader = out.join("reader");
    fs::create_dir_all(&reader)?;
    script(&reader, "gcc_s", &[&libgcc, &libgcc_eh])?;
    println!("cargo::rustc-link-arg-bin={READER}=-L{}", reader.display());
    script(&out, "c", &[&libc, &libgcc, &libgcc_eh])?;
    script(&out, "gcc_s", &[&libgcc, &libgcc_eh, &libc])?;
    // Parts of the C library; a newer one has empty archives of these names.
    for name in ["m", "util", "rt", "pthread", "dl"] {
        if let Some(part) = archive(&compiler, &format!("lib{name}.a")) {
            script(&out, name, &[&part])?;
        }
    }
    for argument in [&format!("-L{}", out.display()), "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bin={PROGRAM}={argument}");
    }
    Ok(())
}

/// A linker script by the name of a dynamic library that stands for static ones.
fn script(out: &Path, name: &str, archives: &[&Path]) -> io::Result<()> {
    let names: Vec<String> = archives.iter().map(|it| it.display().to_string()).collect();
    fs::write(out.join(format!("lib{name}.so")), format!("GROUP ( {} )\n", names.join(" ")))
}

fn warn(reason: &str) -> io::Result<()> {
    println!("cargo::warning={reason}: {PROGRAM} is linked dynamically and starts more slowly");
    Ok(())
}

/// Where the compiler finds the archive; it gives back the bare name of one that it does not find.
fn archive(compiler: &str, name: &str) -> Option<PathBuf> {
    let output = Command::new(compiler).arg(format!("-print-file-name={name}")).output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}

fn links(compiler: &str, out: &Path) -> io::Result<bool> {
    let (source, program) = (out.join("probe.c"), out.join("probe"));
    fs::write(&source, "int main(void) { return 0; }\n")?;
    let mut command = Command::new(compiler);
    command.args(["-static", "-no-pie", "-o"]).arg(program).arg(source);
    Ok(command.stderr(Stdio::null()).status().is_ok_and(|status| status.success()))
}
