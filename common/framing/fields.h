/**
 * fields: the lines of an HTTP/1.1 head, as the server and the client read them.
 *
 * RFC 9110 section 5 and RFC 9112 sections 2 to 6, without what they merely tolerate. Two programs
 * that read the same bytes differently are how messages are smuggled, so whatever could be read in
 * two ways is refused: bare LF or CR, folded lines, space before a colon.
 *
 * Pure functions: any thread.
 */
#ifndef FRAMING_FIELDS_H
#define FRAMING_FIELDS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Letters, digits and !#$%&'*+-.^_`|~ (RFC 9110, section 5.6.2): asked for each byte of a name. */
static inline bool is_token_char(char c)
{
    static const uint64_t bits[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
    unsigned char byte            = (unsigned char)c;
    return byte < 128 && (bits[byte / 64] >> byte % 64 & 1);
}

/** What a value may hold: no control character but the tab. */
bool is_text_char(char c);

/** Compares without case: most names differ in their first letter already. */
bool str_is_nocase_all(str a, const char *b);
static inline bool str_is_nocase(str a, const char *b)
{
    const int case_bit = 'a' - 'A';
    if (a.len > 0 && ((a.ptr[0] ^ b[0]) & ~case_bit) != 0) return false;
    return str_is_nocase_all(a, b);
}

/** Says whether the comma-separated list `value` holds `token` (any case). */
bool fields_list_has(str value, const char *token);

enum fields_end { FIELDS_MORE, FIELDS_COMPLETE, FIELDS_BARE_LF };

/** Looks for the empty line at the end of a head, in at most `input.len` bytes. `*scanned` starts
 * at 0 and remembers what need not be looked at again. `*ret_len`: with the empty line. */
enum fields_end fields_find_end(str input, size_t *scanned, size_t *ret_len);

/** Takes the line at the front of a complete head, without its CRLF. */
str fields_take_line(str *rest);

enum fields_form { FIELD_IS_FINE, FIELD_HAS_NO_NAME, FIELD_HAS_BAD_VALUE };

/** Splits "Name: value"; the blanks around the value are left out. */
enum fields_form fields_split(str line, str *ret_name, str *ret_value);

/** Reads a Content-Length: 1 to 15 digits and nothing else. */
bool fields_read_length(str value, int64_t *ret_length);

#endif
