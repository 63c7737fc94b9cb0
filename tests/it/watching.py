"""A person who watches a ledger: drives `usage-report watch` in a terminal of 24 lines.

Usage: watching.py END [ALERT], in a repository with a ledger, where that alert fires. Exits 0 if all was as it should be; else it prints
what was seen on the terminal.
"""
import fcntl, json, os, pty, re, select, signal, struct, subprocess, sys, termios, time

PATIENCE_S = 60
seen = ""


def fail(why):
    print(f"{why}\n--- on the terminal:\n{seen!r}", file=sys.stderr)
    os.kill(child, signal.SIGKILL)
    sys.exit(1)


def look(seconds):
    global seen
    if select.select([screen], [], [], seconds)[0]:
        try:
            seen += os.read(screen, 65536).decode(errors="replace")
        except OSError:
            return


def expect(pattern):
    """Waits for it; what stood up to its end is not looked at again."""
    global seen
    until = time.time() + PATIENCE_S
    while not (found := re.search(pattern, seen)):
        if time.time() > until:
            fail(f"not seen: {pattern}")
        look(0.05)
    before, seen = seen[: found.end()], seen[found.end() :]
    return before


def size(rows, columns):
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def ticks():
    """The processor time of the child, in hundredths of a second."""
    with open(f"/proc/{child}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def log(model):
    subprocess.run(["log-usage", model, "1500", "3200", "true", "execute", "45000"], check=True)


child, screen = pty.fork()
if child == 0:
    time.sleep(0.2)
    os.execvp("usage-report", ["usage-report", "watch"])
size(24, 80)
before = termios.tcgetattr(screen)
frame = expect(r"(?s)\x1b\[\?1049h.*Today.*q ends · 1 row")
if frame.count("\n") > 23:
    fail("the first frame has more lines than the terminal")

# What fires is seen until somebody looks after it.
for name in sys.argv[2:]:
    if not re.search(rf"\n warning   {name}: [^\n]*, since ", frame):
        fail(f"{name} is not shown")
    checked = subprocess.run(["usage-report", "check", "--format", "json"], stdout=subprocess.PIPE)
    alerts = json.loads(checked.stdout)["alerts"]
    [alert] = [it["id"] for it in alerts if it["name"] == name]
    subprocess.run(["log-usage", "alert", "ack", alert], check=True)
    while name in expect(r"(?s)Today.*?q ends · 1 row"):
        pass

# A row appears, and another; the clock is for people.
for model in ["model-one", "model-two"]:
    began = time.time()
    log(model)
    expect(model)
    print(f"{model} was seen after {time.time() - began:.2f} s")

# A window of another size is drawn anew, and nothing is wider.
expect(r"q ends · 3 rows[^\x1b]*\x1b\[K\x1b\[J")
size(12, 40)
expect(r"\x1b\[H")
frame = expect(r"q ends · 3 rows[^\x1b]*\x1b\[K\x1b\[J")
lines = re.sub(r"\x1b\[\??[0-9]*[A-Za-z]|\r", "", frame).split("\n")
if len(lines) > 12 or max(map(len, lines)) > 40:
    fail(f"does not fit 40 x 12: {frame!r}")

# Nothing happens, and so nothing is done.
if os.path.exists("/proc/self/stat"):
    look(1)
    first = ticks()
    time.sleep(2)
    if ticks() - first > 5:
        fail(f"{ticks() - first} ticks in two idle seconds")
else:
    print("SKIPPED: processor time is looked up in /proc")

end = sys.argv[1]
if end == "TERM":
    os.kill(child, signal.SIGTERM)
else:
    os.write(screen, end.encode())
expect(r"\x1b\[\?25h\x1b\[\?1049l")
until = time.time() + PATIENCE_S
while True:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        break
    if time.time() > until:
        fail("it did not end")
    look(0.05)
if status != 0:
    fail(f"ended with {status}")
if termios.tcgetattr(screen) != before:
    fail("the terminal is not as it was")
