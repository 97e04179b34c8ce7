#!/usr/bin/env python3
"""Holds the #include lines of src/ to the list of layers in src/LAYERS, and every module to a README.md."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def read_layers(path):
    """The modules that each module may include, and what is wrong with the list itself."""
    layers, faults = {}, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        module, _, below = line.partition(":")
        for name in below.split():
            if name not in layers:
                faults.append(f"{path.relative_to(ROOT)}:{number}: {module} names {name}, "
                              "which does not stand above it in the list")
        layers[module.strip()] = set(below.split())
    return layers, faults


def check_include(module, bracket, target, layers, folder):
    """What is wrong with one #include, or None."""
    head, _, rest = target.partition("/")
    if head == "stoa" and rest:
        return None
    if module == "cli":
        if bracket == '"' and (head in layers and rest and not (folder / target).exists()):
            return f'"{target}": the command includes only <stoa/...> and its own headers'
        return None
    if bracket == "<":
        return f"<{target}>: headers of modules are included with quotes" if (
            head in layers and rest and (ROOT / "src" / target).exists()) else None
    if not rest:
        return None if (folder / target).exists() else f'"{target}" is not in this folder'
    if head == module or head in layers[module] or (folder / target).exists():
        return None
    if head in layers:
        return f'"{target}": {module} may not include {head} (src/LAYERS)'
    return f'"{target}": {head} is no module of src/LAYERS'


def main():
    layers, faults = read_layers(ROOT / "src" / "LAYERS")
    count = 0
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        module = path.relative_to(ROOT / "src").parts[0]
        where = path.relative_to(ROOT)
        count += 1
        if module not in layers:
            faults.append(f"{where}: the module {module} is not in src/LAYERS")
            continue
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            fault = check_include(module, match[1], match[2], layers, path.parent)
            if fault:
                line = text.count("\n", 0, match.start(2)) + 1
                faults.append(f"{where}:{line}: {fault}")
    for folder in sorted(path for path in (ROOT / "src").iterdir() if path.is_dir()):
        if not (folder / "README.md").is_file():
            faults.append(f"{folder.relative_to(ROOT)}: there is no README.md")
    for fault in faults:
        print(fault)
    print(f"layers: {count} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
