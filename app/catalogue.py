"""The catalogue: the permissions, environments and plans of this API. One TOML file, validated at start."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from app import runtime
from app.errors import StartRefused

FALLBACK_PLAN: Final = "free"
_TRY_IT: Final = 'curl https://api.example.com/ -H "X-API-Key: {key}"'
_NAME = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"
_Prefix = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]{1,7}$")]
_Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]


class _Key(msgspec.Struct, forbid_unknown_fields=True):
    prefix: _Prefix
    accepted_prefixes: list[_Prefix] = []
    try_it: Annotated[str, msgspec.Meta(pattern=r"\{key\}")] | None = None


class _Plan(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    max_api_keys: Annotated[int, msgspec.Meta(ge=1)] | None = None
    upgrade_url: Annotated[str, msgspec.Meta(pattern=r"^https?://")] | None = None
    self_service: bool = False


class _Environment(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    prefix: Annotated[str, msgspec.Meta(pattern=r"^(live|test)$")]
    rotate_every_days: _Days | None = None
    must_expire: bool = False
    max_lifetime_days: _Days | None = None


class _Preset(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    environment: str
    permissions: list[str]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    key: _Key
    permissions: Annotated[dict[str, str], msgspec.Meta(min_length=1)]
    plans: dict[str, _Plan]
    environments: Annotated[dict[str, _Environment], msgspec.Meta(min_length=1)]
    presets: dict[str, _Preset] = {}


_ENTRIES: Final = {"plans": _Plan, "environments": _Environment, "presets": _Preset}


@dataclass(frozen=True, slots=True)
class Permission:
    """`pdf.generate` and the sentence that explains it; `in_catalogue` is False if it was removed from the file."""

    name: str
    description: str
    in_catalogue: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """`max_api_keys` is None for an unlimited plan; `rank` is its position in the file, from small to large."""

    name: str
    title: str
    max_api_keys: int | None
    upgrade_url: str | None
    self_service: bool
    rank: int

    def allows(self, keys: int) -> bool:
        return self.max_api_keys is None or keys <= self.max_api_keys


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of keys; `prefix` is the key class, `live` or `test`."""

    name: str
    title: str
    prefix: str
    rotate_every_days: int | None
    must_expire: bool
    max_lifetime_days: int | None
    in_catalogue: bool = True


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset of the create form."""

    name: str
    title: str
    environment: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The contents of the file, frozen; the mappings keep the file's order. `try_it` is a command with `{key}` in it."""

    key_prefix: str
    accepted_prefixes: tuple[str, ...]
    permissions: MappingProxyType[str, Permission]
    plans: MappingProxyType[str, Plan]
    environments: MappingProxyType[str, Environment]
    presets: MappingProxyType[str, Preset] = field(default_factory=lambda: MappingProxyType({}))
    try_it: str = _TRY_IT

    def permission(self, name: str) -> Permission:
        """The permission; one that was removed from the file stays readable, because keys may have it."""
        return self.permissions.get(name) or Permission(name, "No longer offered.", in_catalogue=False)

    def environment(self, name: str) -> Environment:
        """The environment; one that was removed from the file stays readable, because keys may be in it."""
        return self.environments.get(name) or Environment(name, name, "live", None, False, None, in_catalogue=False)

    def plan(self, name: str) -> Plan:
        """The plan, or the smallest one if it was removed from the file, so never more than was bought."""
        return self.plans.get(name) or next(iter(self.plans.values()))

    def plans_allowing(self, keys: int) -> tuple[Plan, ...]:
        """The plans on which `keys` keys fit, smallest first."""
        return tuple(plan for plan in self.plans.values() if plan.allows(keys))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Every company prefix a key may begin with, the current one first."""
        return (self.key_prefix, *self.accepted_prefixes)


def load(path: Path) -> Catalogue:
    """Reads the file. Raises StartRefused with path, line and reason for a file that is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartRefused(f"The catalogue {path} cannot be read: {error}") from None
    try:
        _check_entries(raw)
        file = msgspec.convert(raw, _File)
        _check(file)
    except (msgspec.ValidationError, ValueError) as error:
        raise StartRefused(f"The catalogue {path}, line {_line(text, str(error))}: {error}") from None
    return _freeze(file)


def _check_entries(raw: dict[str, Any]) -> None:
    """Each entry by itself first, because the converter names the field but not its entry."""
    for section, kind in _ENTRIES.items():
        entries = raw.get(section, {})
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            try:
                msgspec.convert(entry, kind)
            except msgspec.ValidationError as error:
                reason, _, path = str(error).partition(" - at `$")
                raise ValueError(f"{reason} - at `$.{section}.{name}{path or '`'}") from None


def _check(file: _File) -> None:
    for section in ("permissions", "plans", "environments", "presets"):
        for name in getattr(file, section):
            if not re.fullmatch(_NAME, name):
                raise ValueError(f"`{name}` is not a name of lower-case words - at `$.{section}.{name}`")
    if FALLBACK_PLAN not in file.plans:
        raise ValueError(f"a new workspace starts on the plan `{FALLBACK_PLAN}`, which is missing - at `$.plans`")
    for name, environment in file.environments.items():
        if environment.must_expire and environment.max_lifetime_days is None:
            raise ValueError(f"must_expire needs max_lifetime_days - at `$.environments.{name}`")
    for name, preset in file.presets.items():
        if preset.environment not in file.environments:
            raise ValueError(f"there is no environment `{preset.environment}` - at `$.presets.{name}.environment`")
        for permission in preset.permissions:
            if permission not in file.permissions:
                raise ValueError(f"there is no permission `{permission}` - at `$.presets.{name}.permissions`")


def _line(text: str, reason: str) -> int:
    """The line of the deepest table or entry that the reason's path (`$.plans.free.title`) names; 1 where it names none."""
    path = re.search(r"`\$\.?([^`]*)`", reason)
    parts = re.sub(r"\[[^]]*\]", "", path.group(1)).split(".") if path else []
    lines = text.splitlines()
    unknown = re.search(r"unknown field `([^`]+)`", reason)
    for depth in range(len(parts), 0, -1):
        header = f"[{'.'.join(parts[:depth])}]"
        if header not in (stripped := [line.split("#")[0].strip() for line in lines]):
            continue
        start = stripped.index(header)
        key = unknown.group(1) if unknown else ".".join(parts[depth:])
        for number, line in enumerate(stripped[start + 1 :], start + 2):
            if line.startswith("["):
                break
            if key and line.split("=")[0].strip().strip('"') == key:
                return number
        return start + 1
    return 1


def _freeze(file: _File) -> Catalogue:
    def frozen(items: dict[str, Any]) -> MappingProxyType[str, Any]:
        return MappingProxyType(items)

    plans = enumerate(file.plans.items())
    return Catalogue(
        key_prefix=file.key.prefix,
        accepted_prefixes=tuple(file.key.accepted_prefixes),
        permissions=frozen({name: Permission(name, text) for name, text in file.permissions.items()}),
        plans=frozen({n: Plan(n, p.title, p.max_api_keys, p.upgrade_url, p.self_service, rank) for rank, (n, p) in plans}),
        environments=frozen(
            {
                n: Environment(n, e.title, e.prefix, e.rotate_every_days, e.must_expire, e.max_lifetime_days)
                for n, e in file.environments.items()
            }
        ),
        presets=frozen({n: Preset(n, p.title, p.environment, tuple(p.permissions)) for n, p in file.presets.items()}),
        try_it=file.key.try_it or _TRY_IT,
    )


def current() -> Catalogue:
    """The catalogue of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Catalogue)
