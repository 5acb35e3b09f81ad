"""gcloud with its modules loaded once: each command is the real gcloud, in a fork of a process that has them.

`gcloud.py serve SDK SOCKET` loads gcloud from the directory SDK, says "ready", and runs the commands that come by
the socket until its standard input ends. `gcloud.py run SOCKET ARGUMENT…` is such a command: the fork has its
arguments, environment, directory and standard streams, and it ends with the fork's exit code.

What a command has loaded besides, the serving process loads after it, so that the next one finds it.
"""

import os
import socket
import struct
import sys

STREAMS = 3

# gcloud's own modules and the libraries that come with it
LEARNED = ("googlecloudsdk", "apitools", "google", "proto", "cloudsdk")


def run(path, arguments):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        variables = [f"{name}={value}" for name, value in os.environ.items()]
        words = [os.getcwd(), str(len(arguments)), *arguments, *variables]
        text = "\0".join(words).encode("utf-8", "surrogateescape")
        socket.send_fds(connection, [struct.pack("!I", len(text))], list(range(STREAMS)))
        connection.sendall(text)
        code = connection.recv(1)
    # Nothing comes from a fork that was ended by a signal.
    sys.exit(code[0] if code else 70)


def receive(connection):
    """The words and the streams of a command."""
    head, streams, _, _ = socket.recv_fds(connection, 4, STREAMS)
    (size,) = struct.unpack("!I", head)
    text = b""
    while len(text) < size:
        part = connection.recv(size - len(text))
        if not part:
            raise EOFError("a command without its end")
        text += part
    return text.decode("utf-8", "surrogateescape").split("\0"), streams


def become(command, streams):
    """Takes a command's place: its streams, arguments, directory and environment."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    directory, count, *rest = command
    sys.argv = ["gcloud", *rest[: int(count)]]
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(word.split("=", 1) for word in rest[int(count) :])


def execute(connection, main):
    """Runs one command, and returns the names of the modules that it has loaded."""
    import atexit

    known = set(sys.modules)
    become(*receive(connection))
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([code & 255]))
    connection.close()
    return [it for it in sys.modules if it not in known and it.split(".")[0] in LEARNED]


def learn(names):
    import gc
    import importlib

    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            # Some take a state that a command makes: each makes it for itself.
            pass
    # A collection in a fork would copy all that is loaded.
    gc.freeze()


def serve(sdk, path):
    import select

    sys.path[:0] = [f"{sdk}/lib/third_party", f"{sdk}/lib"]
    learn(["googlecloudsdk.gcloud_main"])
    main = sys.modules["googlecloudsdk.gcloud_main"].main
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    # the pipes of the commands under way, each with its process and what has come so far
    running = {}
    while True:
        ready, _, _ = select.select([listener, 0, *running], [], [])
        if 0 in ready:
            return
        for source in ready:
            if source is listener:
                connection, _ = listener.accept()
                reading, writing = os.pipe()
                process = os.fork()
                if process == 0:
                    listener.close()
                    for other in [*running, reading]:
                        os.close(other)
                    names = execute(connection, main)
                    with os.fdopen(writing, "w") as pipe:
                        pipe.write("\n".join(names))
                    os._exit(0)
                connection.close()
                os.close(writing)
                running[reading] = (process, [])
                continue
            part = os.read(source, 65536)
            process, parts = running[source]
            parts.append(part)
            if not part:
                os.close(source)
                del running[source]
                os.waitpid(process, 0)
                learn(b"".join(parts).decode().split())


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        run(sys.argv[2], sys.argv[3:])
