"""The house's own checks find the faults that they are for, and nothing in a tree without any."""
import os
import shutil
import subprocess
import sys

import oracle

TREE = oracle.TMP / "tree"
CLEAN = {
    "src/LAYERS": "base:\nmem: base\ncli:\n",
    "src/base/README.md": "# base\nOne is in [one](one.h), see [the page](../../docs/page.md#a-page).\n",
    "src/mem/README.md": "# mem\n",
    "src/base/one.h": "#pragma once\nint one(void);\n",
    "src/mem/two.c": '#include "base/one.h"\nint one(void) { return 1; }\n',
    "include/stoa/one.h": "#pragma once\n#define STOA_API __attribute__((visibility(\"default\")))\n"
                          "/// STOA_API int stoa_comment(void);\n"
                          "STOA_API const char *stoa_one(const char *name,\n    int count);\n",
    "docs/page.md": "# A page\n```sh run\necho one; echo two; echo three\n```\n"
                    "```text output\none\n...\nthree\n```\n"
                    "```c\n#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n```\n"
                    "```text output\nhello\n```\n",
}


def plant(files):
    """A tree of the clean files with `files` on top, and the tools beside them."""
    shutil.rmtree(TREE, ignore_errors=True)
    shutil.copytree(oracle.SOURCE / "tools", TREE / "tools")
    for name, text in {**CLEAN, **files}.items():
        path = TREE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check(tool, *arguments, **env):
    """Runs one check in the tree; returns (exit status, output)."""
    program = [sys.executable] if tool.endswith(".py") else ["bash"]
    done = subprocess.run([*program, TREE / "tools" / tool, *arguments], capture_output=True,
                          text=True, env=dict(os.environ, **env))
    return done.returncode, done.stdout + done.stderr


def expect(tool, files, words, *arguments, **env):
    """The check passes in a clean tree, and with `files` fails with `words` in its output."""
    plant({})
    status, output = check(tool, *arguments, **env)
    assert status == 0, f"{tool} fails in a clean tree:\n{output}"
    plant(files)
    status, output = check(tool, *arguments, **env)
    assert status == 1 and words in output, f"{tool}: expected '{words}' but found:\n{output}"


def library(source):
    """A shared library of one source, with hidden visibility."""
    path = oracle.TMP / "library.so"
    subprocess.run(["cc", "-xc", "-", "-shared", "-fPIC", "-fvisibility=hidden", "-o", path],
                   input=source, text=True, check=True)
    return path


def main():
    expect("check_layers.py", {"src/base/up.c": '#include "mem/two.h"\n'}, "base may not include mem")
    expect("check_layers.py", {"src/lost/a.c": "int a;\n"}, "lost is not in src/LAYERS")
    expect("check_layers.py", {"src/LAYERS": "base: mem\nmem: base\ncli:\n"}, "above it")
    expect("check_layers.py", {"src/cli/main.c": '#include "base/one.h"\n'}, "only <stoa/...>")
    expect("check_layers.py", {"src/cli/main.c": "int a;\n"}, "src/cli: there is no README.md")
    expect("check_text.py", {"docs/a.md": "# A\n[one](page.md), [two](gone.md#there)\n"},
           "docs/a.md:2: the link to 'gone.md#there' leads nowhere")
    expect("check_text.py", {"src/mem/a.c": "int a; \n"}, "src/mem/a.c:1: trailing white space")
    expect("check_text.py", {"src/mem/a.c": "int a;"}, "no line feed")
    expect("check_text.py", {"docs/a.md": "see /ro" "ot/a\n"}, "a path of one machine")
    expect("check_text.py", {"docs/a.md": "from py" "pi.org\n"}, "package registry")
    expect("check_sizes.py", {"src/mem/a.c": "\n" * 1300}, "src/mem/a.c: 1300 lines")
    expect("check_headers.sh", {"src/mem/a.h": "size_t a(void);\n"}, "a.h: does not compile alone")
    expect("check_headers.sh", {"include/stoa/a.h": "int a(int class);\n"}, "does not compile alone")
    expect("check_docs.py", {"docs/page.md": "```sh run\nfalse\n```\n"}, "exit status 1")
    expect("check_docs.py", {"docs/page.md": "```sh run\necho a\n```\n```text output\nb\n```\n"},
           "expected\nb\nbut found\na")
    expect("check_docs.py", {"docs/page.md": "```c\nint main(void) { return x; }\n```\n"},
           "undeclared")

    exported = '__attribute__((visibility("default"))) '
    path = library(exported + "int stoa_one(void) { return 1; } int inner(void) { return 2; }")
    plant({})
    status, output = check("check_exports.py", path)
    assert status == 0, output
    path = library(exported + "int other(void) { return 1; }")
    status, output = check("check_exports.py", path)
    assert status == 1 and "other: exported, but" in output, output
    assert "stoa_one is declared as STOA_API, but not exported" in output, output


main()
