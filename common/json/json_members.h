/**
 * json_members: the members of an object as they are spelled: a walk over its text that builds
 * nothing.
 *
 * For who has parsed a text and wants to hand parts of it on byte for byte: members come in the
 * order of the text, which is that of the parsed object (json_key_at()). Only of a text that
 * json_parse() has taken as an object is it said that all members are found; of any other the walk
 * ends somewhere, and never outside of it.
 *
 * Pure; no recursion, no memory. Threads: any.
 */
#ifndef JSON_JSON_MEMBERS_H
#define JSON_JSON_MEMBERS_H

#include "base/str.h"

/** The next member's value, without the space around it. `*cursor` begins at 0. False: there is
 * none. */
bool json_members_next(str object, size_t *cursor, str *ret_value);

#endif
