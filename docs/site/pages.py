"""Pages of the site that lie elsewhere in the tree: the README is where one begins."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}


def on_files(files: Any, config: Any) -> Any:
    """Called by mkdocs with the files it found."""
    from mkdocs.structure.files import File

    for name, source in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=moved(text)))
    return files


def moved(text: str) -> str:
    """Links of the top folder as they are from docs/; what is no page is told without a link."""
    text = re.sub(r"\]\(docs/decisions\)", "](decisions/0001-dependencies.md)", text)
    text = re.sub(r"\]\(docs/", "](", text)
    for name, source in ELSEWHERE.items():
        text = text.replace(f"]({source})", f"]({name})")
    return re.sub(r"\[([^\]]+)\]\((?:LICENSE|SECURITY\.md)\)", r"\1", text)
