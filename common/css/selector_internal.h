/* A selector's words (selector_scan.c), of which selector_read.c makes it. */
#ifndef CSS_SELECTOR_INTERNAL_H
#define CSS_SELECTOR_INTERNAL_H

#include "css/selector_tree.h"

struct scanner {
    str text;
    size_t at;
    struct arena *arena; /* of the texts that are kept */
    struct error *reterr;
};

/* INVALID_ARGUMENT with the column. */
status scan_refuse(struct scanner *scanner, const char *what);

/* The next byte, or the one so far ahead; -1 at the end. */
int scan_peek(const struct scanner *scanner);
int scan_peek_at(const struct scanner *scanner, size_t ahead);
bool scan_is_digit(int c);
bool scan_is_name(int c);
bool scan_is_escape(const struct scanner *scanner);

bool scan_space(struct scanner *scanner); /* says whether there was some */
bool scan_take(struct scanner *scanner, char c);

/* Names after `#` may begin with a digit, identifiers may not. */
status scan_name(struct scanner *scanner, bool is_identifier, str *ret_name);
status scan_string(struct scanner *scanner, str *ret_value);
/* An+B, odd, even, and the bracket behind it: CSS Syntax Level 3, section 6. */
status scan_nth(struct scanner *scanner, struct selector_test *test);
void scan_lower(str text);

#endif
