"""Values of a setting of a sweep, as they are written on a command line."""

QUOTES = ("'", '"')
BRACKETS = {"[": "]", "{": "}", "(": ")"}


def split_values(text: str) -> list[str]:
    """Values between commas, those in brackets or quotes left whole.

    Example:
        >>> split_values("8,16"), split_values("[vae,cvae],[vae]")
        (['8', '16'], ['[vae,cvae]', '[vae]'])
    """
    values, closing, quote = [""], [], ""
    for letter in text:
        if letter == "," and not closing and not quote:
            values.append("")
            continue
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        elif letter in BRACKETS:
            closing.append(BRACKETS[letter])
        elif closing and letter == closing[-1]:
            closing.pop()
        values[-1] += letter
    return values
