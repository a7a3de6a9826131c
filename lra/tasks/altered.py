"""What editors, spreadsheets and transfers do to files; asked once a parser has refused one."""

import codecs

BOM = codecs.BOM_UTF8  # read at the beginning of a file, as is one blank line at its end
GZIP = b"\x1f\x8b"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
IN_GZIP = "a gzip file, which has to be unpacked"
IN_UTF16 = "UTF-16 text, which has to be saved as UTF-8"
BLANK = b" \t\r\n"


def altered_line(line: bytes, separator: bytes | None = b"\t") -> str | None:
    """What a line of a text file is that cannot be read, None where that cannot be told.

    separator: of its columns; None for any white space.
    """
    if not line.strip(BLANK):
        return "a blank line"
    if line.startswith(GZIP):
        return IN_GZIP
    if line.startswith(UTF16):
        return IN_UTF16
    if BOM in line:
        return "a byte-order mark within the file"
    columns = line.strip(BLANK).split(separator)
    if any(len(x) > 1 and x[:1] == x[-1:] == b'"' for x in columns):
        return "quotes around a column, which official files do not have"
    if line.strip(b"\r\n").count(b"\r") > 1:
        return "carriage returns where lines should end with a line feed"
    return None


def altered_bytes(content: bytes) -> str | None:
    """What was done to a binary file, None where that cannot be told."""
    if content.startswith(BOM):
        return "a byte-order mark, as of a file that was saved as text"
    if content.startswith(GZIP):
        return IN_GZIP
    if 0 < content.count(b"\n") == content.count(b"\r\n"):
        return "line ends that were converted to CRLF, as of a file that was copied as text"
    return None
