/*
 * Regular expressions: the only file that knows Oniguruma.
 *
 * Oniguruma backtracks, so a short pattern can take for ever on a short text. Each search therefore
 * carries its own limits in a match parameter (never the library's global ones, which other threads
 * share). The parser of patterns recurses on the C stack; a count of brackets bounds that before it
 * starts.
 *
 * State: Oniguruma fills its encoding tables once per process, guarded by `initialised` below. Each
 * thread keeps what its searches, one after the other, use again, until it ends: to make that anew
 * costs more than a search of a short text. This is all the mutable state of the layer.
 */
#include "expr/regex.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "expr/regex_internal.h"

#include <oniguruma.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    STACK_BYTES_MAX   = 1 << 20,              /* per match */
    STACK_ENTRY_BYTES = 40,                   /* of Oniguruma 6.9 on 64 bits */
    BRACKETS_MAX      = 200,                  /* open at once */
    TEXT_MAX          = INT32_MAX,            /* bytes: Oniguruma counts in int */
    TRANSLATED_MAX    = 8 * REGEX_PATTERN_MAX /* bytes; \s alone becomes 60 */
};

struct regex {
    OnigRegex onig;
    OnigRegex whole; /* the same pattern between the ends of the text; NULL if only for searching */
    uint32_t group_count;
    str names[REGEX_GROUPS_MAX + 1]; /* owned: regex_free() */
};

struct room {
    OnigMatchParam *limits;
    OnigRegion *region;
};

static _Thread_local struct room thread_room;
static pthread_key_t thread_end;
static pthread_once_t initialised = PTHREAD_ONCE_INIT;

static void room_done(void *context)
{
    struct room *room = context;
    if (room->limits) onig_free_match_param(room->limits);
    if (room->region) onig_region_free(room->region, 1);
    *room = (struct room){};
}

static void initialise(void)
{
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    int rc                   = onig_initialize(encodings, ARRAY_LEN(encodings));
    ASSERT(rc == ONIG_NORMAL && "out of memory");
    rc = pthread_key_create(&thread_end, room_done);
    ASSERT(rc == 0);
}

static OnigOptionType to_options(unsigned flags)
{
    OnigOptionType options = ONIG_OPTION_CAPTURE_GROUP;
    if (flags & REGEX_IGNORE_CASE) options |= ONIG_OPTION_IGNORECASE;
    if (flags & REGEX_EXTENDED) options |= ONIG_OPTION_EXTEND;
    if (flags & REGEX_SINGLE_LINE) options |= ONIG_OPTION_SINGLELINE;
    if (flags & REGEX_DOT_ALL) options |= ONIG_OPTION_MULTILINE;
    if (flags & REGEX_LONGEST) options |= ONIG_OPTION_FIND_LONGEST;
    if (flags & REGEX_NOT_EMPTY) options |= ONIG_OPTION_FIND_NOT_EMPTY;
    return options;
}

/* Counts brackets in classes too, which only makes the limit a little stricter. */
static bool is_too_deep(str pattern)
{
    int open = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        if (c == '\\') i++;
        if (c == '(' || c == '[') open++;
        if ((c == ')' || c == ']') && open > 0) open--;
        if (open > BRACKETS_MAX) return true;
    }
    return false;
}

static const OnigUChar *uchars(const char *text)
{
    return (const OnigUChar *)text;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): Oniguruma's type */
static int keep_name(const OnigUChar *name, const OnigUChar *end, int count, int *groups,
                     OnigRegex onig, void *context)
{
    (void)onig;
    struct regex *regex = context;
    size_t len          = (size_t)(end - name);
    for (int i = 0; i < count; i++) {
        if (groups[i] > REGEX_GROUPS_MAX) continue;
        regex->names[groups[i]] = (str){.ptr = mem_dup(name, len), .len = len};
    }
    return 0;
}

static status compile_onig(str pattern, unsigned flags, OnigRegex *ret_onig, struct error *reterr)
{
    OnigErrorInfo info;
    int rc = onig_new(ret_onig, uchars(pattern.ptr), uchars(pattern.ptr + pattern.len),
                      to_options(flags), ONIG_ENCODING_UTF8,
                      flags & REGEX_ECMA ? ONIG_SYNTAX_ONIGURUMA : ONIG_SYNTAX_PERL_NG, &info);
    if (rc == ONIG_NORMAL) return STATUS_OK;
    ASSERT(rc != ONIGERR_MEMORY && "out of memory"); /* not the fault of the pattern */

    OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
    onig_error_code_to_str(text, rc, &info);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s", (const char *)text);
}

/* A search may find a shorter match first (`a|ab`), so the ends belong into the pattern. The line
 * end closes a comment of an extended pattern. */
static status compile_whole(str pattern, unsigned flags, OnigRegex *ret_onig, struct error *reterr)
{
    CLEANUP(buf_done) struct buf whole = buf_init(pattern.len + 32);
    (void)buf_printf(&whole, "\\A(?:" STR_FMT "%s)\\z", STR_ARG(pattern),
                     flags & REGEX_EXTENDED ? "\n" : "");
    ASSERT(!whole.is_full);
    return compile_onig(buf_str(&whole), flags, ret_onig, reterr);
}

status regex_compile(str pattern, unsigned flags, struct regex **ret_regex, struct error *reterr)
{
    if (pattern.len > REGEX_PATTERN_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "pattern is longer than %d bytes",
                    REGEX_PATTERN_MAX);
    }
    if (utf8_valid_prefix(pattern) != pattern.len) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "pattern is not valid UTF-8");
    }
    if (is_too_deep(pattern)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "pattern has more than %d brackets open",
                    BRACKETS_MAX);
    }
    int rc = pthread_once(&initialised, initialise);
    ASSERT(rc == 0);

    CLEANUP(buf_done) struct buf translated = buf_init(TRANSLATED_MAX);
    if (flags & REGEX_ECMA) {
        TRY(regex_translate_ecma(pattern, &translated, reterr));
        pattern = buf_str(&translated);
    }
    if (!pattern.ptr) pattern.ptr = "";
    CLEANUP(regex_freep) struct regex *regex = mem_new(1, sizeof *regex);
    TRY(compile_onig(pattern, flags, &regex->onig, reterr));
    if (!(flags & REGEX_SEARCH_ONLY)) TRY(compile_whole(pattern, flags, &regex->whole, reterr));

    regex->group_count = (uint32_t)onig_number_of_captures(regex->onig);
    if (regex->group_count > REGEX_GROUPS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "pattern has more than %d groups",
                    REGEX_GROUPS_MAX);
    }
    onig_foreach_name(regex->onig, keep_name, regex);
    *ret_regex = TAKE(regex);
    return STATUS_OK;
}

void regex_free(struct regex *regex)
{
    if (!regex) return;
    for (size_t i = 0; i < ARRAY_LEN(regex->names); i++) {
        free((void *)(uintptr_t)regex->names[i].ptr);
    }
    if (regex->onig) onig_free(regex->onig);
    if (regex->whole) onig_free(regex->whole);
    free(regex);
}

void regex_freep(struct regex **regex)
{
    regex_free(*regex);
}

str regex_group_name(const struct regex *regex, uint32_t group)
{
    ASSERT(group <= REGEX_GROUPS_MAX);
    return regex->names[group];
}

/* --- searching ---------------------------------------------------------------------------------
 */

static struct room *room_open(struct room *room)
{
    int rc = pthread_setspecific(thread_end, room);
    ASSERT(rc == 0);
    room->limits = onig_new_match_param();
    room->region = onig_region_new();
    ASSERT(room->limits && room->region && "out of memory");
    onig_set_match_stack_limit_size_of_match_param(room->limits,
                                                   STACK_BYTES_MAX / STACK_ENTRY_BYTES);
    return room;
}

/* The room of this thread, for a search of so many steps back. There is a regex, so that
 * initialise() ran. */
static struct room *room_for(uint32_t retries)
{
    struct room *room = thread_room.limits ? &thread_room : room_open(&thread_room);
    onig_set_retry_limit_in_match_of_match_param(room->limits, retries);
    onig_set_retry_limit_in_search_of_match_param(room->limits, retries);
    return room;
}

/* `position` is what Oniguruma returned: where it matched, a mismatch, or an error. */
static status judge(int position, bool *ret_found, struct error *reterr)
{
    if (position >= 0 || position == ONIG_MISMATCH) {
        *ret_found = position >= 0;
        return STATUS_OK;
    }
    OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
    onig_error_code_to_str(text, position);
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "%s", (const char *)text);
}

static void copy_groups(const struct regex *regex, const OnigRegion *region,
                        struct regex_match *ret_match)
{
    ret_match->count = regex->group_count + 1;
    for (uint32_t i = 0; i < ret_match->count; i++) {
        bool took_part       = (int)i < region->num_regs && region->beg[i] >= 0;
        ret_match->groups[i] = took_part ? (struct regex_group){region->beg[i], region->end[i]}
                                         : (struct regex_group){-1, -1};
    }
}

static status search(OnigRegex onig, str text, size_t offset, OnigMatchParam *limits,
                     OnigRegion *region, bool *ret_found, struct error *reterr)
{
    ASSERT(offset <= text.len);
    if (text.len > TEXT_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "text is too long to search");
    }
    if (!text.ptr) text.ptr = "";

    const OnigUChar *end = uchars(text.ptr + text.len);
    int position = onig_search_with_param(onig, uchars(text.ptr), end, uchars(text.ptr + offset),
                                          end, region, ONIG_OPTION_NONE, limits);
    return judge(position, ret_found, reterr);
}

status regex_find(const struct regex *regex, str text, size_t offset, uint32_t retries,
                  bool *ret_found, struct regex_match *ret_match)
{
    struct room *room  = room_for(retries);
    OnigRegion *region = ret_match ? room->region : NULL;
    TRY(search(regex->onig, text, offset, room->limits, region, ret_found, NULL));
    if (*ret_found && region) copy_groups(regex, region, ret_match);
    return STATUS_OK;
}

status regex_search(const struct regex *regex, str text, size_t offset, bool *ret_found,
                    struct error *reterr)
{
    struct room *room = room_for(REGEX_RETRIES_MAX);
    return search(regex->onig, text, offset, room->limits, NULL, ret_found, reterr);
}

status regex_matches(const struct regex *regex, str text, bool *ret_matches, struct error *reterr)
{
    ASSERT(regex->whole);
    struct room *room = room_for(REGEX_RETRIES_MAX);
    return search(regex->whole, text, 0, room->limits, NULL, ret_matches, reterr);
}
