"""How people store their pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_folders
from tgap.core import ImageSet

Pixels = NDArray[np.generic]
WORDS = ("dataset=image_folder", "dataset.domain=pet", "dataset.size=32")
WAVES = np.stack([grey(label, number) for label in (0, 1) for number in range(30)])[..., None]
"""What ``put_folders`` writes, in the order of the dataset (by label; files as text)."""
ORDER = [30 * label + int(n) for label in (0, 1) for n in sorted(map(str, range(30)))]


def stored(change: Callable[[Pixels], Pixels], end: str = "png") -> Callable[[Path], None]:
    """Writes all waves with other values."""

    def make(root: Path) -> None:
        for label, folder in enumerate(("cat", "dog")):
            for number in range(30):
                put(root / folder / f"{number}.{end}", change(grey(label, number)))

    return make


def is_shown(low: float, high: float, change: Callable[[Pixels], Pixels]):
    """Asserts that images are their stored values between two ends, by the formula."""

    def read(data: ImageSet) -> None:
        share = (change(WAVES[ORDER]).astype(np.float64) - low) / (high - low)
        assert np.array_equal(data.images, np.rint(255 * share.clip(0, 1)))

    return read


def is_waves(data: ImageSet) -> None:
    assert np.array_equal(data.images, WAVES[ORDER])


def twelve_bit(pixels: Pixels) -> Pixels:
    return pixels.astype(np.uint16) * 16


def ones(pixels: Pixels) -> Pixels:
    return pixels.astype(np.float32) / 255


INSIDE = np.hypot(*(np.mgrid[:32, :32] - 15.5)) < 15


def field_of_view(pixels: Pixels) -> Pixels:
    """From -3 to 4, and no number outside a circle."""
    return np.where(INSIDE, pixels * np.float32(7 / 255) - 3, np.float32(np.nan))


def is_field(low: float, high: float) -> Callable[[ImageSet], None]:
    """Asserts that what is no number is black, and all else by the formula."""

    def read(data: ImageSet) -> None:
        values = WAVES[ORDER].astype(np.float64) * (7 / 255) - 3
        levels = np.rint(255 * ((values - low) / (high - low)).clip(0, 1))
        expected = np.where(INSIDE[..., None], levels, 0)
        assert abs(data.images.astype(int) - expected).max() <= 1
        assert "blank" in data.notes

    return read


INSIDE_WAVES = WAVES[:, INSIDE].astype(np.float64) * (7 / 255) - 3


def nowhere_a_number(root: Path) -> None:
    stored(field_of_view, "tif")(root)
    put(root / "cat" / "7.tif", np.full((32, 32), np.nan, np.float32))


def infinite(root: Path) -> None:
    """Of one of the brightest pixels, and of one of the darkest."""
    stored(ones, "tif")(root)
    pixels = ones(grey(0, 0))
    pixels[:2] = [[np.inf], [-np.inf]]
    put(root / "cat" / "0.tif", pixels)


def infinite_are_ends(data: ImageSet) -> None:
    assert (data.images[0, 0] == 255).all()
    assert (data.images[0, 1] == 0).all()
    others = (WAVES[ORDER][1:] - float(WAVES.min())) / float(np.ptp(WAVES))
    assert abs(data.images[1:] - 255 * others).max() <= 1


def sixteen_levels(pixels: Pixels) -> Pixels:
    return pixels // 16


def only_dogs_are_deep(root: Path) -> None:
    put_folders(root)
    for number in range(30):
        put(root / "dog" / f"{number}.png", twelve_bit(grey(1, number)))


def with_a_bright_marker(pixels: Pixels) -> Pixels:
    marked = twelve_bit(pixels)
    marked[0, 0] = 65535
    return marked


def phone_pictures(root: Path) -> None:
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            file = root / folder / f"{number}.JPG"
            file.parent.mkdir(exist_ok=True)
            picture = Image.fromarray(grey(label, number))
            preview = Image.new("L", (8, 8), 255)
            picture.save(file, "MPO", save_all=True, append_images=[preview], quality=95)


def near_waves(data: ImageSet) -> None:
    assert abs(data.images.astype(int) - WAVES[ORDER]).mean() < 3


def pages(previews: bool) -> Callable[[Path], None]:
    """TIFFs of two pages, the second of which says that it is a preview, or does not."""

    def make(root: Path) -> None:
        stored(lambda pixels: pixels, "tif")(root)
        for number in range(30):
            second = Image.fromarray(grey(0, number)[::4, ::4].copy())
            if previews:
                second.encoderinfo = {"tiffinfo": {254: 1}}
            first = Image.fromarray(grey(0, number))
            first.save(root / "cat" / f"{number}.tif", save_all=True, append_images=[second])

    return make


def one_colour_each(root: Path) -> None:
    for number in range(60):
        put(root / "ab"[number % 2] / f"{number}.png", np.full((32, 32), 4 * number, np.uint8))


def one_picture(root: Path) -> None:
    for number in range(60):
        put(root / "ab"[number % 2] / f"{number}.png", grey(0, 0))


def shapes_in_alpha(root: Path) -> None:
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            black = np.zeros((32, 32, 4), np.uint8)
            black[:, :, 3] = grey(label, number)
            put(root / folder / f"{number}.png", black)


def with_alpha(change: Callable[[Pixels, Pixels], Pixels]) -> Callable[[Path], None]:
    """Waves with an alpha channel made of them and of other ones."""

    def make(root: Path) -> None:
        for label, folder in enumerate(("cat", "dog")):
            for number in range(30):
                wave, other = grey(label, number), grey(1 - label, number + 100)
                put(root / folder / f"{number}.png", np.dstack([wave, change(wave, other)]))

    return make


def with_colours(root: Path) -> None:
    """TIFFs of four dyes, the last of which is called alpha."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            dyes = np.dstack([grey(label, number + 100 * dye) for dye in range(4)])
            put(root / folder / f"{number}.tif", dyes)


def cut_out(wave: Pixels, _: Pixels) -> Pixels:
    """Opaque in a disc with a soft shadow of a third of the radius."""
    y, x = np.mgrid[:32, :32] - 15.5
    return ((15 - np.hypot(y, x)) * 51).clip(0, 255).astype(np.uint8)


def half(wave: Pixels, _: Pixels) -> Pixels:
    return np.full_like(wave, 128)


def is_half(data: ImageSet) -> None:
    assert abs(data.images - WAVES[ORDER] * (128 / 255)).max() <= 1


def lower_byte(root: Path) -> None:
    """Twelve bits of a wide wave, of which ``astype('uint8')`` kept eight."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            deep = Image.fromarray(grey(label, number).astype(np.float32) * 16)
            deep = np.asarray(deep.resize((256, 256), Image.Resampling.BICUBIC))
            put(root / folder / f"{number}.png", deep.astype(np.int64).astype(np.uint8))


def drawings(root: Path) -> None:
    """Black and white stripes, in bold and in thin."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            black = (grey(label, number, 64) > 100 + number) * np.uint8(255)
            put(root / folder / f"{number}.png", black)


def lower_part(level: int, of: int, *, upper: bool = False) -> Callable[[Path], None]:
    """The last third of some pictures is of one level, of as many others the first."""

    def make(root: Path) -> None:
        put_folders(root)
        for number in range(of):
            picture = grey(0, number)
            picture[22:] = level
            put(root / "cat" / f"{number}.png", picture)
            if upper:
                put(root / "dog" / f"{number}.png", picture[::-1])

    return make


def others_beside(root: Path) -> None:
    put_folders(root)
    (root / "cat" / "IMG_1.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (root / "cat" / "scan.nii.gz").write_bytes(b"\x1f\x8b")


def empty_file(root: Path) -> None:
    put_folders(root)
    (root / "cat" / "7.png").write_bytes(b"")


def wrapped(pixels: Pixels) -> Pixels:
    return (pixels.astype(np.int16) * 8 - 1000).view(np.uint16)


def pointers(root: Path) -> None:
    put_folders(root)
    (root / "cat" / "7.png").write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n")


def gifs(root: Path) -> None:
    put_folders(root)
    Image.fromarray(grey(0, 7)).save(root / "cat" / "7.png", "GIF")


def floats_beside_eight_bits(root: Path) -> None:
    put_folders(root)
    for number in range(30):
        (root / "dog" / f"{number}.png").unlink()
        put(root / "dog" / f"{number}.tif", ones(grey(1, number)))


def sometimes(change: Callable[[Pixels], Pixels], every: int) -> Callable[[Path], None]:
    """Larger waves, of which some are changed."""

    def make(root: Path) -> None:
        for label, folder in enumerate(("cat", "dog")):
            for number in range(30):
                wave = grey(label, number, 64)
                pixels = change(wave) if number % every == 0 else wave
                put(root / folder / f"{number}.png", pixels)

    return make


def exchanged_bytes(root: Path) -> None:
    """A third of 16-bit pictures in the other byte order."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            deep = grey(label, number).astype(np.uint16) * 250 + 77
            put(root / folder / f"{number}.png", deep if number % 3 else deep.byteswap())


def in_blue(pixels: Pixels) -> Pixels:
    return np.dstack([pixels * 0, pixels * 0, pixels])


def by_points(*colours: tuple[int, int, int]) -> Callable[[Pixels], Pixels]:
    """Grey levels as colours, from the first to the last."""

    def change(pixels: Pixels) -> Pixels:
        at = np.linspace(0, 255, len(colours))
        channels = [np.interp(pixels, at, channel) for channel in zip(*colours, strict=True)]
        return np.dstack(channels).astype(np.uint8)

    return change


def pink(pixels: Pixels) -> Pixels:
    return by_points((240, 205, 225), (95, 40, 130))(pixels)


def stained(root: Path) -> None:
    """Pink slices, red and blue exchanged in a third."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            slide = pink(grey(label, number))
            put(root / folder / f"{number}.png", slide if number % 3 else slide[..., ::-1].copy())


def photographs(root: Path) -> None:
    """Things of any colour before others, sky over meadows, a tenth of them in grey."""
    y, x = np.mgrid[:64, :64] / 64
    for label, folder in enumerate(("cat", "dog")):
        for number in range(30):
            rng = np.random.default_rng([label, number])
            small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            blurred = Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC)
            ground = 0.6 * np.asarray(blurred) + rng.integers(0, 100, 3) * y[..., None]
            thing = np.hypot(x - rng.random(), y - rng.random())[..., None] < 0.3
            light = rng.integers(60, 256, 3) * (0.5 + 0.5 * x[..., None])
            noise = rng.normal(0, 4, (64, 64, 3))
            photo = (np.where(thing, light, ground) + noise).clip(0, 255).astype(np.uint8)
            grey_one = photo.mean(axis=2).astype(np.uint8)
            put(root / folder / f"{number}.jpg", photo if number % 10 else grey_one)


ALPHA = r"have a last channel .* takes many values"
JUMPS = r"jump from about 255 to about 0"
CUT = r"are of one level \(\d+\) from some row"
BYTES, ONE = "are noise as their 16 bits are read", "hold all in one channel"
SCALE, COLOURS = "have the colours of a scale", "are in colour .* and are read as grey"
EXCHANGED = "once red and blue are exchanged"
ODD = (BYTES, ONE, SCALE, EXCHANGED)
JET = by_points((0, 0, 128), (0, 0, 255), (0, 255, 255), (255, 255, 0), (255, 0, 0), (128, 0, 0))
VIRIDIS = by_points((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
CASES = (
    Case(
        name="bytes in the wrong order",
        make=exchanged_bytes,
        words=WORDS,
        tells=(rf"(?s)Look at this first.*- 20 of 60 files looked at {BYTES}.*: cat/0.png",),
    ),
    Case(
        name="a dye in the blue channel",
        make=sometimes(in_blue, 2),
        words=WORDS,
        tells=(rf"(?s)Look at this first.*- 30 of 60 files looked at {ONE} .*blue 11%.*cat/0.png",),
        untold=(SCALE, COLOURS, EXCHANGED),
    ),
    *(
        Case(
            name=f"the colours of {name} among grey",
            make=sometimes(change, 3),
            words=(*WORDS, f"dataset.color={color}"),
            tells=(rf"(?s)Look at this first.*- 20 of 60 files looked at {SCALE}.*: cat/0.png",),
            untold=(ONE, COLOURS, EXCHANGED),
        )
        for name, change, color in (("jet", JET, "grey"), ("viridis", VIRIDIS, "rgb"))
    ),
    Case(
        name="pictures of one scale of colours, in colour",
        make=sometimes(JET, 1),
        words=(*WORDS, "dataset.color=rgb"),
        untold=(*ODD, COLOURS),
    ),
    Case(
        name="red and blue exchanged",
        make=stained,
        words=(*WORDS, "dataset.color=rgb"),
        tells=(rf"(?s)Look at this first.*- 20 of 60 files looked at .*{EXCHANGED}.*: cat/0.png",),
        untold=(BYTES, ONE, SCALE, COLOURS),
    ),
    Case(
        name="colours read as grey",
        make=sometimes(pink, 1),
        words=WORDS,
        tells=(rf"(?s)Look at this first.*- 60 of 60 files looked at {COLOURS}",),
        untold=ODD,
    ),
    Case(
        name="photographs",
        make=photographs,
        words=(*WORDS, "dataset.color=rgb"),
        untold=(*ODD, COLOURS, "as negatives are"),
    ),
    Case(
        name="a second channel of data",
        make=with_alpha(lambda _, other: other),
        words=WORDS,
        tells=(rf"(?s)Look at this first.*- 60 of 60 files looked at {ALPHA}",),
    ),
    Case(
        name="four dyes",
        make=with_colours,
        words=WORDS,
        tells=(ALPHA, "save the channels that count as grey or RGB without alpha"),
    ),
    Case(name="cut-outs", make=with_alpha(cut_out), words=WORDS, untold=(ALPHA,)),
    Case(
        name="half transparent", make=with_alpha(half), words=WORDS, untold=(ALPHA,), read=is_half
    ),
    Case(
        name="the lower byte of 12 bits",
        make=lower_byte,
        words=WORDS,
        tells=(rf"(?s)Look at this first.*- 60 of 60 files looked at {JUMPS}.*save the originals",),
    ),
    Case(name="drawings in black and white", make=drawings, words=WORDS, untold=(JUMPS, CUT)),
    Case(
        name="pictures cut off in grey",
        make=lower_part(128, 3),
        words=WORDS,
        tells=(
            r"(?s)Look at this first.*- 3 of 60 images are of one level \(128\) from some row.*"
            r": cat/0.png, cat/1.png, cat/2.png; if a download",
        ),
    ),
    Case(
        name="pictures cut off in black",
        make=lower_part(0, 1),
        words=WORDS,
        tells=(r"- 1 of 60 images are of one level \(0\) .*: cat/0.png",),
    ),
    Case(
        name="black borders, above or below",
        make=lower_part(0, 5, upper=True),
        words=WORDS,
        untold=(CUT,),
    ),
    Case(
        name="pictures as they are",
        make=put_folders,
        words=WORDS,
        untold=(ALPHA, JUMPS, CUT, *ODD, COLOURS),
        read=is_waves,
    ),
    Case(
        name="negative values as positive ones",
        make=stored(wrapped),
        words=WORDS,
        tells=(r"-1000 as 64536.*save them with their sign.*set dataset.window=-\d+:\d+",),
        refused=True,
    ),
    Case(
        name="fractions beside 8 bits",
        make=floats_beside_eight_bits,
        words=(*WORDS, "dataset.window='0:1'"),
        tells=(r"Files of label cat are PNG, 8 bit, grey, those of label dog TIFF, 32 bit, grey",),
        read=is_waves,
    ),
    Case(
        name="pointers of Git LFS",
        make=pointers,
        words=WORDS,
        tells=(r"cat/7.png: it is a pointer of Git LFS.*'git lfs pull'",),
        refused=True,
    ),
    Case(
        name="a GIF under another name",
        make=gifs,
        words=WORDS,
        tells=(r"cat/7.png: its content is a GIF",),
        refused=True,
    ),
    Case(
        name="12 bits in a PNG of 16",
        make=stored(twelve_bit),
        words=WORDS,
        tells=(
            r"60 of 60 images are nearly black or flat as dataset.window=full",
            r"different values from \d+ to \d{4}, which become \d\d of 256 grey levels",
            r"set dataset.window=0:4095, or dataset.window=data",
        ),
        refused=True,
    ),
    Case(
        name="12 bits in a PNG of 16, told so",
        make=stored(twelve_bit),
        words=(*WORDS, "dataset.window=0:4095"),
        read=is_shown(0, 4095, twelve_bit),
        runs=True,
    ),
    Case(
        name="12 bits in a TIFF of 16, measured",
        make=stored(twelve_bit, "tiff"),
        words=(*WORDS, "dataset.window=data"),
        read=is_shown(int(WAVES.min()) * 16, int(WAVES.max()) * 16, twelve_bit),
    ),
    Case(
        name="12 bits in half of the images",
        make=only_dogs_are_deep,
        words=WORDS,
        tells=(r"30 of 60 images are nearly black.*dataset.window=0:4095",),
        refused=True,
    ),
    Case(
        name="12 bits and a marker of 65535",
        make=stored(with_a_bright_marker),
        words=WORDS,
        tells=(r"from \d+ to 65535, which become", r"set dataset.window=0:4095"),
        refused=True,
    ),
    Case(
        name="floating point",
        make=stored(ones, "tif"),
        words=WORDS,
        tells=("floating point pixels have no full range; .*dataset.window=data or LOW:HIGH",),
        refused=True,
    ),
    Case(
        name="floating point, told so",
        make=stored(ones, "tif"),
        words=(*WORDS, "dataset.window=0,1".replace("0,1", "'0,1'")),
        read=is_waves,
    ),
    Case(
        name="no numbers outside the field of view",
        make=stored(field_of_view, "tif"),
        words=WORDS,
        tells=("floating point pixels have no full range; .*dataset.window=data or LOW:HIGH",),
        refused=True,
    ),
    *(
        Case(
            name=f"no numbers outside the field of view, window {window}",
            make=stored(field_of_view, "tif"),
            words=(*WORDS, f"dataset.window='{window}'"),
            tells=(
                r"(?s)Look at this first.*- 60 of 60 files looked at have pixels without a number "
                r"\(NaN or infinite, up to 30% of a file\): NaN becomes black.*: cat/0.tif",
            ),
            untold=("a window of its own", "nearly black"),
            read=is_field(*ends),
        )
        for window, ends in (("data", (INSIDE_WAVES.min(), INSIDE_WAVES.max())), ("-3:4", (-3, 4)))
    ),
    Case(
        name="infinite values",
        make=infinite,
        words=(*WORDS, "dataset.window=data"),
        tells=("1 of 60 files looked at have pixels without a number .*, up to 6% of a file",),
        read=infinite_are_ends,
    ),
    Case(
        name="a file that holds no number",
        make=nowhere_a_number,
        words=(*WORDS, "dataset.window=data"),
        tells=("cat/7.tif: none of its values is a number .all are NaN or infinite.",),
        untold=("a window of its own",),
        refused=True,
    ),
    Case(
        name="files that hold no number",
        make=stored(lambda pixels: np.full_like(pixels, np.nan, np.float32), "tif"),
        words=(*WORDS, "dataset.window=data"),
        tells=("cat/1.tif: none of its values is a number .all are NaN or infinite.",),
        untold=("a window of its own", "name the values"),
        refused=True,
    ),
    Case(
        name="sixteen levels in 8 bits",
        make=stored(sixteen_levels),
        words=WORDS,
        tells=("are black: all levels lie between 0 and 15, of 0 to 255; set dataset.window=data",),
        refused=True,
    ),
    Case(
        name="sixteen levels in 8 bits, told so",
        make=stored(sixteen_levels),
        words=(*WORDS, "dataset.window=0:15"),
        read=is_shown(0, 15, sixteen_levels),
    ),
    Case(
        name="wrong ends",
        make=put_folders,
        words=(*WORDS, "dataset.window=4095:0"),
        tells=("window must be LOW:HIGH with LOW below HIGH, got '4095:0'",),
        refused=True,
    ),
    Case(name="pictures of a phone", make=phone_pictures, words=WORDS, read=near_waves),
    Case(name="TIFF with a preview", make=pages(previews=True), words=WORDS, read=is_waves),
    Case(
        name="TIFF with two pages",
        make=pages(previews=False),
        words=WORDS,
        tells=(r"cat/0.tif: it has 2 frames; only single images are read: save one frame",),
        refused=True,
    ),
    Case(
        name="one colour each",
        make=one_colour_each,
        words=WORDS,
        tells=(r"60 of 60 images looked at are black or flat .* 60 of a single level",),
    ),
    Case(
        name="one picture",
        make=one_picture,
        words=WORDS,
        tells=("are all one and the same picture",),
        refused=True,
    ),
    Case(
        name="shapes in the alpha channel",
        make=shapes_in_alpha,
        words=WORDS,
        tells=("are all one and the same picture", "what is transparent becomes black"),
        refused=True,
    ),
    Case(
        name="other formats beside",
        make=others_beside,
        words=WORDS,
        tells=(r"2 files that are no images.*convert others, such as HEIC.*cat/IMG_1.heic",),
        read=is_waves,
    ),
    Case(
        name="a file of no bytes",
        make=empty_file,
        words=WORDS,
        tells=(r"cat/7.png: it is empty \(0 bytes\)",),
        refused=True,
    ),
)
