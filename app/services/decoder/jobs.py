"""What workers are asked to do with a picture, and how their answers are taken apart and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.images.recipes import Recipe, TransformedImage, check_overlay
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.images.verification import Verifier, accept_transformed, allowed_transform_bytes
from app.services.decoder.conversation import Talk
from app.services.decoder.plain_records import from_plain, to_plain
from app.services.decoder.wire import ChannelGarbage, Message


@dataclass(frozen=True, slots=True)
class RenderJob:
    """One picture to be rendered; see `ImageProcessor.render`."""

    structure: Structure
    file_size: int
    plan: RenderPlan

    def question(self) -> tuple[Message, bytes]:
        """See `Job.question`."""
        content = {"structure": to_plain(self.structure), "file_size": self.file_size, "plan": to_plain(self.plan)}
        return content, self.structure.decodable

    def hear_answer(self, talk: Talk, *, deliver: Callable[[Rendition], None]) -> RenderedImage:
        """Variants as they come, then the result with all of them."""
        verifier = Verifier(self.structure, file_size=self.file_size, plan=self.plan)
        while True:
            heard = talk.hear()
            match heard.content.get("kind"):
                case "variant":
                    body = talk.receive(heard.size, most=verifier.allowed_variant_bytes)
                    deliver(verifier.accept_variant(from_plain(Rendition, heard.content.get("record"), body)))
                case "result":
                    body = talk.receive(heard.size, most=self.file_size)
                    return verifier.accept_result(from_plain(RenderedImage, heard.content.get("record"), body))
                case _:
                    raise ChannelGarbage


@dataclass(frozen=True, slots=True)
class TransformJob:
    """One picture to be transformed; see `ImageProcessor.transform`."""

    structure: Structure
    recipe: Recipe
    overlay: Structure | None

    def __post_init__(self) -> None:
        check_overlay(self.recipe, self.overlay)

    @property
    def file_size(self) -> int:
        return len(self.structure.decodable)

    def question(self) -> tuple[Message, bytes]:
        """The bytes of the overlay follow those of the picture."""
        content = {
            "structure": to_plain(self.structure),
            "recipe": to_plain(self.recipe),
            "picture_size": self.file_size,
            "overlay": to_plain(self.overlay) if self.overlay else None,
        }
        picture = self.structure.decodable
        return content, picture + self.overlay.decodable if self.overlay else picture

    def hear_answer(self, talk: Talk, *, deliver: Callable[[Rendition], None]) -> TransformedImage:  # noqa: ARG002
        """The result alone; there are no variants."""
        heard = talk.hear()
        if heard.content.get("kind") != "result":
            raise ChannelGarbage
        body = talk.receive(heard.size, most=allowed_transform_bytes(self.structure, self.recipe))
        transformed = from_plain(TransformedImage, heard.content.get("record"), body)
        return accept_transformed(transformed, self.structure, self.recipe)
