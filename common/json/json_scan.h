/**
 * json_scan: a document read from its bytes, from front to back, without making values.
 *
 * For who needs little of a document and hands the rest on as it is spelled. What is read is
 * checked as strictly as json_parse() does: what that refuses breaks the scan. The scan knows less:
 * a key with escapes or beyond ASCII, and an object with more than JSON_SCAN_MEMBERS_MAX members,
 * break it, too. So a scan that is whole says what json_parse() would have said, and one that is
 * broken says nothing: then json_parse() is asked, which knows the place and the reason as well.
 *
 *     json_scan_init(&scan, text, values_max);
 *     json_scan_open(&scan, '{');
 *     while (json_scan_member(&scan, &key)) {
 *         if (str_is(key, "model")) json_scan_text(&scan, &model); else json_scan_skip(&scan);
 *     }
 *     if (json_scan_end(&scan)) ...
 *
 * After a key or an item one value is to be read. A scan that is broken has no further members.
 *
 * No memory, no recursion. Threads: any, one at a time.
 */
#ifndef JSON_JSON_SCAN_H
#define JSON_JSON_SCAN_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    JSON_SCAN_DEPTH_MAX   = 64,  /* json_parse()'s */
    JSON_SCAN_MEMBERS_MAX = 32,  /* of an object: each key is compared with those before it */
    JSON_SCAN_KEYS_MAX    = 256, /* of all objects that are open */
};

struct json_scan {
    const char *at, *end;
    bool is_broken;
    uint32_t values_left;
    size_t printed; /* bytes that what was read has as compact JSON (json_print()) */
    uint32_t depth;
    uint32_t key_count;
    struct json_scan_level {
        uint32_t first_key;
        bool is_object, has_any;
    } levels[JSON_SCAN_DEPTH_MAX];
    struct json_scan_key {
        uint64_t mark; /* of its length and first bytes */
        str key;
    } keys[JSON_SCAN_KEYS_MAX];
};

struct json_scan_text {
    str raw;       /* between its quotes */
    size_t size;   /* bytes of the text that it stands for */
    bool is_plain; /* `raw` is that text: it has no escapes */
};

/** `values_max` as of json_parse(); 0: 100,000. */
void json_scan_init(struct json_scan *scan, str text, uint32_t values_max);

/** The first character of the value that is to be read; '\0': the scan is broken. */
char json_scan_peek(const struct json_scan *scan);

/** Enters an object ('{') or an array ('['); broken, if the value is none. */
void json_scan_open(struct json_scan *scan, char bracket);

/** The next member or item: its value is to be read. False: there is none, and the container is
 * read. The key is a view. */
bool json_scan_member(struct json_scan *scan, str *ret_key);
bool json_scan_item(struct json_scan *scan);

/** Reads a text; broken, if the value is none. */
void json_scan_text(struct json_scan *scan, struct json_scan_text *ret_text);

/** Reads any value. */
void json_scan_skip(struct json_scan *scan);

/** Nothing but blanks follows, and all was JSON. */
bool json_scan_end(struct json_scan *scan);

#endif
