#include "http/robots.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <strings.h>

enum { TARGET_MAX = 64 << 10 /* bytes, encoded */ };

struct rule {
    char *pattern; /* owned; in one percent-encoding */
    size_t len;
    bool is_allow;
};

/* The rules of all groups for one name. */
struct group {
    struct rule *rules;
    size_t count, capacity;
    int64_t delay_ms;
    bool is_there;
};

struct robots {
    struct group group;
    bool forbids_all;
};

/* --- one percent-encoding --------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

static void put_encoded(struct buf *out, unsigned char c)
{
    (void)buf_printf(out, "%%%02X", c);
}

/* The same bytes for what means the same. `*` and a last `$` of a pattern keep their meaning. */
static void put_normal(struct buf *out, str text, bool is_pattern)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_code    = c == '%' && i + 2 < text.len && hex_value(text.ptr[i + 1]) >= 0 &&
                       hex_value(text.ptr[i + 2]) >= 0;
        if (is_code) {
            c = (unsigned char)(hex_value(text.ptr[i + 1]) * 16 + hex_value(text.ptr[i + 2]));
            i += 2;
        }
        bool is_sign = c == '*' || c == '$';
        bool means   = is_pattern && !is_code && (c == '*' || i + 1 == text.len);
        bool encodes = is_code ? !is_unreserved(c) : c <= ' ' || c >= 0x7f || (is_sign && !means);
        if (encodes) {
            put_encoded(out, c);
        } else {
            (void)buf_put_byte(out, (char)c);
        }
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static void group_add(struct group *group, str path, bool is_allow)
{
    if (path.len == 0) return; /* "Disallow:" forbids nothing */
    CLEANUP(buf_done) struct buf pattern = buf_init(3 * ROBOTS_PATTERN_MAX + 1);
    put_normal(&pattern, str_slice(path, 0, ROBOTS_PATTERN_MAX), true);
    if (group->count == group->capacity) {
        group->capacity = group->capacity ? group->capacity * 2 : 8;
        group->rules    = mem_resize(group->rules, group->capacity, sizeof *group->rules);
    }
    size_t len = pattern.len;
    group->rules[group->count++] =
        (struct rule){.pattern = buf_take(&pattern), .len = len, .is_allow = is_allow};
}

static void group_done(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) free(group->rules[i].pattern);
    free(group->rules);
    *group = (struct group){};
}

struct reading {
    const char *product;
    struct group ours, others;     /* for our name; for * */
    bool is_header;                /* the last line was a User-agent */
    bool is_for_us, is_for_others; /* the group that is open */
};

static bool is_named(str key, const char *name)
{
    return key.len == strlen(name) && strncasecmp(key.ptr, name, key.len) == 0;
}

static void open_group(struct reading *reading, str agent)
{
    if (!reading->is_header) reading->is_for_us = reading->is_for_others = false;
    reading->is_header = true;
    if (str_is(agent, "*")) {
        reading->is_for_others   = true;
        reading->others.is_there = true;
        return;
    }
    size_t len = 0; /* of its product token: "tutti/1.0" is tutti */
    while (len < agent.len && (is_unreserved((unsigned char)agent.ptr[len])) &&
           agent.ptr[len] != '.' && agent.ptr[len] != '~') {
        len++;
    }
    if (!is_named(str_slice(agent, 0, len), reading->product)) return;
    reading->is_for_us     = true;
    reading->ours.is_there = true;
}

static int64_t delay_of(str value)
{
    int64_t ms    = 0;
    int64_t scale = 0; /* of the next digit behind the point */
    for (size_t i = 0; i < value.len && ms < ROBOTS_DELAY_MAX_MS; i++) {
        char c = value.ptr[i];
        if (c == '.' && scale == 0) {
            scale = 100;
        } else if (c < '0' || c > '9') {
            break;
        } else if (scale > 0 || (i > 0 && memchr(value.ptr, '.', i))) {
            ms += (c - '0') * scale;
            scale /= 10;
        } else {
            ms = ms * 10 + (c - '0') * INT64_C(1'000);
        }
    }
    return ms < ROBOTS_DELAY_MAX_MS ? ms : ROBOTS_DELAY_MAX_MS;
}

static void add_to(struct group *group, str key, str value)
{
    if (is_named(key, "crawl-delay")) {
        group->delay_ms = delay_of(value);
    } else {
        group_add(group, value, is_named(key, "allow"));
    }
}

static void read_line(struct reading *reading, str line)
{
    const char *comment = line.len > 0 ? memchr(line.ptr, '#', line.len) : NULL;
    if (comment) line.len = (size_t)(comment - line.ptr);
    const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
    if (!colon) return;
    size_t at = (size_t)(colon - line.ptr);
    str key   = str_trim(str_slice(line, 0, at), STR_BLANKS);
    str value = str_trim(str_slice(line, at + 1, line.len), STR_BLANKS);
    if (is_named(key, "user-agent")) {
        open_group(reading, value);
        return;
    }
    if (!is_named(key, "allow") && !is_named(key, "disallow") && !is_named(key, "crawl-delay")) {
        return; /* Sitemap and others are no part of a group */
    }
    reading->is_header = false;
    if (reading->is_for_us) add_to(&reading->ours, key, value);
    if (reading->is_for_others) add_to(&reading->others, key, value);
}

struct robots *robots_read(str text, const char *product)
{
    struct reading reading = {.product = product};
    text                   = str_slice(text, 0, ROBOTS_SIZE_MAX);
    if (str_starts_with(text, str_from("\xef\xbb\xbf"))) text = str_slice(text, 3, text.len);
    for (size_t from = 0; from < text.len;) {
        size_t to = from;
        while (to < text.len && text.ptr[to] != '\n' && text.ptr[to] != '\r') to++;
        read_line(&reading, str_slice(text, from, to));
        from = to + 1;
    }
    struct robots *robots = mem_new(1, sizeof *robots);
    bool is_ours          = reading.ours.is_there;
    robots->group         = is_ours ? reading.ours : reading.others;
    group_done(is_ours ? &reading.others : &reading.ours);
    return robots;
}

struct robots *robots_for_status(int http_status)
{
    struct robots *robots = mem_new(1, sizeof *robots);
    robots->forbids_all   = http_status < 400 || http_status > 499;
    return robots;
}

void robots_free(struct robots *robots)
{
    if (!robots) return;
    group_done(&robots->group);
    free(robots);
}

void robots_freep(struct robots **robots)
{
    robots_free(*robots);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The pieces between stars, each at its first place behind the one before: a later place would
 * leave less room for the rest. A piece before `$` stands at the end. */
static bool matches(const struct rule *rule, str target)
{
    str pattern   = {.ptr = rule->pattern, .len = rule->len};
    bool is_whole = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '$';
    bool is_first = true;
    size_t at     = 0; /* in the target */
    size_t from   = 0; /* in the pattern */
    if (is_whole) pattern.len--;
    while (true) {
        size_t to = from;
        while (to < pattern.len && pattern.ptr[to] != '*') to++;
        str piece    = str_slice(pattern, from, to);
        bool is_last = to == pattern.len;
        str rest     = str_slice(target, at, target.len);
        if (piece.len > rest.len) return false;
        if (is_first) {
            if (!str_starts_with(rest, piece)) return false;
            at += piece.len;
            if (is_last) return !is_whole || at == target.len;
        } else if (is_last && is_whole) {
            return str_starts_with(str_slice(rest, rest.len - piece.len, rest.len), piece);
        } else if (piece.len > 0) {
            const char *found = memmem(rest.ptr, rest.len, piece.ptr, piece.len);
            if (!found) return false;
            at += (size_t)(found - rest.ptr) + piece.len;
        }
        if (is_last) return true;
        is_first = false;
        from     = to + 1;
    }
}

bool robots_allows(const struct robots *robots, str target)
{
    CLEANUP(buf_done) struct buf normal = buf_init(TARGET_MAX);
    if (str_is(target, "/robots.txt")) return true;
    if (robots->forbids_all) return false;
    put_normal(&normal, target.len > 0 ? target : str_from("/"), false);
    const struct rule *best = NULL;
    for (size_t i = 0; i < robots->group.count; i++) {
        const struct rule *rule = &robots->group.rules[i];
        if (best && rule->len < best->len) continue;
        if (best && rule->len == best->len && !rule->is_allow) continue;
        if (matches(rule, buf_str(&normal))) best = rule;
    }
    return !best || best->is_allow;
}

int64_t robots_delay_ms(const struct robots *robots)
{
    return robots->group.delay_ms;
}
