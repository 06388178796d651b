"""Keeps what a colour card says in the object's header: in words, and as numbers for programs.

The pixels stay as they were taken. The standard has no place for such a matrix, so that the numbers
stand in a private block (PS3.5 section 7.8), and what they are in Image Comments (0020,4000).
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from derm_capture.colour_card import ColourCard

GROUP, CREATOR = 0x0021, "LYSBRO COLOUR CARD 1"
MATRIX, ERROR, CORRECTED_ERROR = 0x01, 0x02, 0x03


def put_colour_card(ds: Dataset, card: ColourCard | None) -> None:
    """Say how a copy's colours would be put right and how far off they are, or nothing."""
    if card is None:
        return
    block = ds.private_block(GROUP, CREATOR, create=True)
    block.add_new(MATRIX, "FD", list(card.matrix))
    block.add_new(ERROR, "FD", card.error)
    block.add_new(CORRECTED_ERROR, "FD", card.corrected_error)
    numbers = " ".join(f"{each:.4f}" for each in card.matrix)
    ds.ImageComments = (
        f"Colour card of 24 patches in the picture: mean CIEDE2000 {card.error:.1f}, "
        f"{card.corrected_error:.1f} after the matrix {numbers} (by rows, linear sRGB as "
        "photographed to linear sRGB as it is). The pixels are not corrected."
    )
