/**
 * challenge: the value of a WWW-Authenticate header, part by part (RFC 9110, 11.6.1): schemes, each
 * with its parameters. Texts are views of the header, quotes taken off, escapes still in. Pure.
 */
#ifndef TOOL_ADAPTER_CHALLENGE_H
#define TOOL_ADAPTER_CHALLENGE_H

#include "base/str.h"

#include <stdbool.h>

enum { CHALLENGE_PARTS_MAX = 32 /* schemes of a header; parameters of a scheme */ };

enum challenge_part {
    CHALLENGE_PARAMETER,
    CHALLENGE_END,    /* of the parameters of this scheme */
    CHALLENGE_BROKEN, /* nothing behind it can be read */
};

/** The next scheme of `rest`, which is what follows it then. False: there is none. */
bool challenge_scheme(str *rest, str *ret_scheme);

/** The next parameter of the scheme. */
enum challenge_part challenge_parameter(str *rest, str *ret_name, str *ret_value);

/** Takes a token off `list`, blanks and commas before it skipped; empty: there is none. */
str challenge_token(str *list);

#endif
