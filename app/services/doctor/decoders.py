"""The check of what stands between a stranger's picture and this machine: the decoders' confinement."""

from __future__ import annotations

from app.core.exceptions import SandboxUnavailable
from app.core.sandbox_mode import Sandbox
from app.services.decoder.confined_processor import ConfinedProcessor
from app.services.doctor.examination import Examination
from app.services.doctor.verdicts import Verdict, fail, ok, warn

_WHAT_IT_NEEDS = (
    "All measures hold on Linux 5.13 and later with Landlock and seccomp, started as root or where ordinary users may "
    "make user namespaces; see docs/images.md."
)


def check_decoders(examination: Examination) -> Verdict:
    """Decoders start, and are confined by everything that the system has; a worker is started to see it."""
    processor = ConfinedProcessor.from_settings(examination.settings)
    try:
        confinement = processor.start()
    except SandboxUnavailable as error:
        return fail(" ".join(filter(None, (error.detail, *error.cause.values()))), _WHAT_IT_NEEDS)
    finally:
        processor.close()
    if examination.settings.sandbox is Sandbox.OFF:
        return warn("SANDBOX=off: decoders of strangers' pictures are hardly confined.", "Set SANDBOX=auto or strict.")
    if confinement.missing:
        return warn(f"Decoders are confined: {confinement.describe()}.", _WHAT_IT_NEEDS)
    return ok(f"Decoders are fully confined, by {len(confinement.reached)} measures.")
