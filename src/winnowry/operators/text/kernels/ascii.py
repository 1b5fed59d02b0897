"""Names of the bytes that kernels look for: characters of ASCII.

Numba compiles them in as constants and knows its stored machine code by the file of the kernel alone, so a value here
never changes.
"""

from __future__ import annotations

TAB = 9
NEWLINE = 10
CARRIAGE_RETURN = 13
FILE_SEPARATOR = 28
BLANK = 32
EXCLAMATION_MARK = 33
QUOTATION_MARK = 34
NUMBER_SIGN = 35
DOLLAR = 36
PERCENT = 37
AMPERSAND = 38
APOSTROPHE = 39
LEFT_PARENTHESIS = 40
RIGHT_PARENTHESIS = 41
PLUS = 43
COMMA = 44
HYPHEN = 45
FULL_STOP = 46
SLASH = 47
ZERO = 48
ONE = 49
TWO = 50
THREE = 51
SIX = 54
EIGHT = 56
NINE = 57
COLON = 58
SEMICOLON = 59
LESS_THAN = 60
EQUALS = 61
GREATER_THAN = 62
QUESTION_MARK = 63
AT_SIGN = 64
CAPITAL_A = 65
CAPITAL_F = 70
CAPITAL_X = 88
CAPITAL_Z = 90
LEFT_BRACKET = 91
RIGHT_BRACKET = 93
UNDERSCORE = 95
SMALL_A = 97
SMALL_B = 98
SMALL_D = 100
SMALL_E = 101
SMALL_F = 102
SMALL_H = 104
SMALL_I = 105
SMALL_L = 108
SMALL_O = 111
SMALL_P = 112
SMALL_S = 115
SMALL_T = 116
SMALL_U = 117
SMALL_W = 119
SMALL_X = 120
SMALL_Y = 121
SMALL_Z = 122
LEFT_BRACE = 123
RIGHT_BRACE = 125
DELETE = 127

BEYOND_ASCII = 128
"""This and all bytes above are part of a character beyond ASCII."""
LOWER_CASE = 32
"""The bit in which a small letter differs from its capital."""
