"""A person at a terminal: drives an interactive bash that runs `log-usage run`.

Usage: terminal.py SCENARIO, in a folder of its own. Exits 0 if all was as it should be; else it
prints what was seen on the terminal.
"""
import fcntl, os, pty, re, select, struct, sys, termios, time

PATIENCE_S = 60
seen = ""


def fail(why):
    print(f"{why}\n--- on the terminal:\n{seen}", file=sys.stderr)
    sys.exit(1)


def look(seconds):
    """Reads what the terminal shows until it is silent for so long."""
    global seen
    while select.select([screen], [], [], seconds)[0]:
        try:
            data = os.read(screen, 4096)
        except OSError:
            data = b""
        if not data:
            return False
        seen += data.decode(errors="replace").replace("\r", "")
    return True


def expect(pattern):
    """Waits for it, and gives what stood before it; that is not looked at again."""
    global seen
    until = time.time() + PATIENCE_S
    while not (found := re.search(pattern, seen, re.M)):
        if time.time() > until:
            fail(f"not seen: {pattern}")
        look(0.02)
    before, seen = seen[: found.start()], seen[found.end() :]
    return before


def wait_for(name):
    until = time.time() + PATIENCE_S
    while not os.path.exists(name):
        if time.time() > until:
            fail(f"{name} did not appear")
        look(0.02)


def type_in(text):
    os.write(screen, text.encode())


def script(text):
    """A command that says when it is ready, and then does as it is told."""
    with open("script", "w") as file:
        file.write(text)
    type_in("log-usage run --quiet --model m -- sh script; echo code\"=\"$?\n")


def touch(name):
    open(name, "w").close()


UNTIL_STOP = "touch ready; while ! [ -f stop ]; do sleep 0.05; done; "

# A shell that is stopped just when it starts a program (vfork) stops only once that has begun, and that
# is stopped, too.
SPINNING = "touch ready; while ! [ -f stop ]; do :; done; "


def interrupt():
    script(f"trap 'echo go''t' INT; {UNTIL_STOP} exit 5")
    wait_for("ready")
    type_in("\x03")
    expect("got")
    look(0.5)
    touch("stop")
    if "got" in expect("code=5"):
        fail("the command was interrupted twice")


def interrupt_a_loop():
    type_in("while :; do log-usage run -- sh -c 'touch ready; sleep 60'; done\n")
    wait_for("ready")
    type_in("\x03")
    type_in("echo pro\"\"mpt\n")
    expect("prompt")


def stop():
    script(f"{SPINNING} exit 3")
    wait_for("ready")
    type_in("\x1a")
    expect("Stopped")
    type_in("echo pro\"\"mpt\n")
    expect("prompt")
    touch("stop")
    type_in("fg; echo code\"=\"$?\n")
    expect("code=3")


def stop_in_vain():
    script(f"trap '' TSTP; {UNTIL_STOP} exit 4")
    wait_for("ready")
    type_in("\x1a")
    look(0.5)
    touch("stop")
    if "Stopped" in expect("code=4"):
        fail("who ignores the signal was stopped")


def stop_alone():
    script("kill -STOP $$; echo went o''n; exit 2")
    expect("Stopped")
    type_in("fg; echo code\"=\"$?\n")
    expect("went on")
    expect("code=2")


def stop_in_background():
    type_in("log-usage run -- cat &\n")
    time.sleep(0.3)
    until = time.time() + PATIENCE_S
    while "Stopped" not in seen:
        if time.time() > until:
            fail("it reads from the terminal in the background")
        type_in("jobs\n")
        look(0.2)
    type_in("kill -KILL %1; wait; echo do\"\"ne\n")
    expect("done")


def terminal():
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    script("test -t 0 && test -t 1 && test -t 2 && stty size")
    expect("33 101")
    expect("code=0")


def hang_up():
    script("trap 'touch hung; exit 1' HUP; touch ready; while :; do sleep 0.05; done")
    wait_for("ready")
    os.close(screen)
    until = time.time() + PATIENCE_S
    while not (os.path.exists("hung") and os.path.exists(".telemetry/usage.csv")):
        if time.time() > until:
            sys.exit("nobody was told that the terminal is gone, or nobody wrote it down")
        time.sleep(0.05)


SCENARIOS = [
    interrupt, interrupt_a_loop, stop, stop_in_vain, stop_alone, stop_in_background, terminal, hang_up,
]

if len(sys.argv) == 1:
    print("\n".join(it.__name__ for it in SCENARIOS))
    sys.exit()
pid, screen = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
type_in("PS1='$ '; echo rea\"\"dy\n")
expect("ready")
next(it for it in SCENARIOS if it.__name__ == sys.argv[1])()
