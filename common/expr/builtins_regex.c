/*
 * Regular expressions for expressions.
 *
 * Oniguruma does not say how hard a search was, so each is tried with a small limit of steps back
 * first and with larger ones only if that is reached; the fuel it costs goes with the limit.
 */
#include "base/attr.h"
#include "base/utf8.h"
#include "expr/builtins.h"
#include "expr/regex_internal.h"

/* --- patterns ----------------------------------------------------------------------------------
 */

bool regex_flags_of(json letters, unsigned *ret_flags, bool *ret_is_global)
{
    *ret_flags = 0;
    if (letters.kind != JSON_TEXT) return letters.kind == JSON_NULL;
    str text = json_str(letters);
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case 'g':
            if (ret_is_global) *ret_is_global = true;
            break;
        case 'i': *ret_flags |= REGEX_IGNORE_CASE; break;
        case 'x': *ret_flags |= REGEX_EXTENDED; break;
        case 's': *ret_flags |= REGEX_SINGLE_LINE; break;
        case 'm': *ret_flags |= REGEX_DOT_ALL; break;
        case 'p': *ret_flags |= REGEX_DOT_ALL | REGEX_SINGLE_LINE; break;
        case 'l': *ret_flags |= REGEX_LONGEST; break;
        case 'n': *ret_flags |= REGEX_NOT_EMPTY; break;
        default: return false;
        }
    }
    return true;
}

static bool is_regex(const struct program_regex *known, json pattern, unsigned flags)
{
    if (known->flags != flags) return false;
    return known->pattern.text == pattern.text ||
           str_equal(json_str(known->pattern), json_str(pattern));
}

/* Keeps the patterns of a run compiled; when there are too many, the oldest goes. */
static const struct regex *compile(struct expr_run *vm, json pattern, unsigned flags)
{
    struct error error;
    struct regex *regex = NULL;
    if (!vm_spend(vm, 100 + json_str(pattern).len)) return NULL;
    if (regex_compile(json_str(pattern), flags | REGEX_SEARCH_ONLY, &regex, &error) != STATUS_OK) {
        (void)vm_raise(vm, "Regex failure: %s", error.text);
        return NULL;
    }
    if (vm->regex_count == VM_REGEXES_MAX) {
        json_unref(vm->regexes[0].pattern);
        regex_free(vm->regexes[0].regex);
        vm->regex_count--;
        memmove(vm->regexes, vm->regexes + 1, vm->regex_count * sizeof *vm->regexes);
    }
    vm->regexes[vm->regex_count++] =
        (struct program_regex){.pattern = json_ref(pattern), .flags = flags, .regex = regex};
    return regex;
}

static const struct regex *find_regex(struct expr_run *vm, json pattern, unsigned flags)
{
    const struct expr *expr = vm->expr;
    for (uint32_t i = 0; i < expr->regex_count; i++) {
        if (is_regex(&expr->regexes[i], pattern, flags)) return expr->regexes[i].regex;
    }
    for (uint32_t i = 0; i < vm->regex_count; i++) {
        if (is_regex(&vm->regexes[i], pattern, flags)) return vm->regexes[i].regex;
    }
    return compile(vm, pattern, flags);
}

/* --- searching ---------------------------------------------------------------------------------
 */

struct search {
    const struct regex *regex;
    str text;
    bool is_global;
    bool is_over;
    bool is_test;  /* the groups are not wanted */
    size_t offset; /* where to go on */
    struct regex_match match;
};

/* Reads the arguments: text, pattern or [pattern, flags], flags. */
static bool search_init(struct expr_run *vm, const json *args, struct search *ret)
{
    json pattern = args[1];
    json letters = args[2];
    if (pattern.kind == JSON_ARRAY && letters.kind == JSON_NULL && json_count(pattern) > 0) {
        if (json_count(pattern) > 1) letters = json_at(pattern, 1);
        pattern = json_at(pattern, 0);
    }
    if (args[0].kind != JSON_TEXT) {
        (void)vm_raise_type(vm, args[0], "cannot be matched, as it is not a string");
        return false;
    }
    if (pattern.kind != JSON_TEXT) {
        (void)vm_raise_type(vm, pattern, "cannot be matched, as it is not a string");
        return false;
    }
    unsigned flags = 0;
    ret->text      = json_str(args[0]);
    ret->is_global = false;
    ret->is_over   = false;
    ret->is_test   = false;
    ret->offset    = 0;
    if (letters.kind != JSON_TEXT && letters.kind != JSON_NULL) {
        (void)vm_raise_type(vm, letters, "is not a string");
        return false;
    }
    if (!regex_flags_of(letters, &flags, &ret->is_global)) {
        (void)vm_raise(vm, STR_FMT " is not a valid modifier string", STR_ARG(json_str(letters)));
        return false;
    }
    ret->regex = find_regex(vm, pattern, flags);
    return ret->regex != NULL;
}

static bool find_within(struct expr_run *vm, struct search *search, uint64_t retries, uint64_t fuel,
                        bool *ret_found)
{
    struct regex_match *match = search->is_test ? NULL : &search->match;
    if (retries > REGEX_RETRIES_MAX) retries = REGEX_RETRIES_MAX;
    return vm_spend(vm, fuel) && regex_find(search->regex, search->text, search->offset,
                                            (uint32_t)retries, ret_found, match) == STATUS_OK;
}

static bool find(struct expr_run *vm, struct search *search, bool *ret_found)
{
    static const struct {
        uint32_t retries;
        uint32_t fuel;
    } tiers[]    = {{4'096, 1'024}, {65'536, 16'384}, {REGEX_RETRIES_MAX, REGEX_RETRIES_MAX / 4}};
    uint64_t len = search->text.len - search->offset;
    if (find_within(vm, search, 64 + len, 8 + len / FUEL_BYTES, ret_found)) return true;
    for (size_t i = 0; i < ARRAY_LEN(tiers) && !vm->exhausted; i++) {
        if (find_within(vm, search, tiers[i].retries, tiers[i].fuel, ret_found)) return true;
    }
    (void)vm_exhaust(vm, "steps of a regular expression");
    return false;
}

/* The next match; `*ret_found` is false after the last one. False: raised. */
static bool search_next(struct expr_run *vm, struct search *search, bool *ret_found)
{
    *ret_found = false;
    if (search->is_over) return true;
    if (!find(vm, search, ret_found)) return false;
    if (search->is_test || !*ret_found) {
        search->is_over = true;
        return true;
    }
    size_t from     = (size_t)search->match.groups[0].from;
    size_t to       = (size_t)search->match.groups[0].to;
    search->is_over = !search->is_global || (from == to && to == search->text.len);
    if (search->is_over) return true;
    search->offset = to;
    /* An empty match would be found again for ever. */
    if (from == to) (void)utf8_next(search->text, &search->offset);
    return true;
}

/* Of a group that took part. */
static str group_str(const struct search *search, uint32_t group)
{
    struct regex_group at = search->match.groups[group];
    return (str){.ptr = search->text.ptr + at.from, .len = (size_t)(at.to - at.from)};
}

static json group_text(const struct search *search, uint32_t group)
{
    if (search->match.groups[group].from < 0) return json_null();
    return json_text_new(group_str(search, group));
}

/* --- matches as values -------------------------------------------------------------------------
 */

/* Characters up to a byte, counted from the last place asked for. */
struct ruler {
    str text;
    size_t byte;
    int64_t character;
};

static int64_t characters_to(struct ruler *ruler, size_t byte)
{
    if (byte < ruler->byte) *ruler = (struct ruler){.text = ruler->text};
    ruler->character += (int64_t)utf8_length(str_slice(ruler->text, ruler->byte, byte));
    ruler->byte = byte;
    return ruler->character;
}

/* The names of members, made once for all matches of a search. */
struct match_keys {
    json offset;
    json length;
    json string;
    json captures;
    json name;
};

static struct match_keys match_keys_init(void)
{
    return (struct match_keys){.offset   = json_text_from("offset"),
                               .length   = json_text_from("length"),
                               .string   = json_text_from("string"),
                               .captures = json_text_from("captures"),
                               .name     = json_text_from("name")};
}

static void match_keys_done(struct match_keys *keys)
{
    json_unref(keys->offset);
    json_unref(keys->length);
    json_unref(keys->string);
    json_unref(keys->captures);
    json_unref(keys->name);
}

static json capture_value(const struct search *search, const struct match_keys *keys,
                          uint32_t group, struct ruler *ruler)
{
    struct regex_group at = search->match.groups[group];
    bool is_there         = at.from >= 0;
    int64_t from          = is_there ? characters_to(ruler, (size_t)at.from) : -1;
    int64_t to            = is_there ? characters_to(ruler, (size_t)at.to) : -1;
    json value            = json_object_new(4);
    json_object_put_key(&value, keys->offset, json_int(from));
    json_object_put_key(&value, keys->length, json_int(to - from));
    json_object_put_key(&value, keys->string, group_text(search, group));
    return value;
}

static json match_value(const struct search *search, const struct match_keys *keys,
                        struct ruler *ruler)
{
    json value         = capture_value(search, keys, 0, ruler);
    struct ruler inner = *ruler; /* captures may stand before each other */
    json captures      = json_array_new(search->match.count - 1);
    for (uint32_t i = 1; i < search->match.count; i++) {
        json capture = capture_value(search, keys, i, &inner);
        str name     = regex_group_name(search->regex, i);
        json_object_put_key(&capture, keys->name, name.len ? json_text_new(name) : json_null());
        json_array_push(&captures, capture);
    }
    json_object_put_key(&value, keys->captures, captures);
    return value;
}

/* What scan() has for a match: its text, or the texts of its groups. */
static json scan_value(const struct search *search, struct json_batch *batch)
{
    if (search->match.count == 1) return json_batch_text(batch, group_str(search, 0));
    json texts = json_array_new(search->match.count - 1);
    for (uint32_t i = 1; i < search->match.count; i++) {
        json_array_push(&texts, group_text(search, i));
    }
    return texts;
}

static json scan(struct expr_run *vm, struct search *search)
{
    enum { CAPACITY = 8 /* matches, at first */ };
    CLEANUP(json_unrefp) json found                  = json_array_new(CAPACITY);
    CLEANUP(json_batch_done) struct json_batch batch = {};
    for (bool has_more = true;;) {
        if (!search_next(vm, search, &has_more)) return json_invalid();
        if (!has_more) return json_take(&found);
        if (!vm_spend(vm, 4 + 8 * (uint64_t)search->match.count)) return json_invalid();
        json_array_append(&found, scan_value(search, &batch));
    }
}

static json matches(struct expr_run *vm, struct search *search)
{
    CLEANUP(json_unrefp) json found                 = json_array_new(0);
    struct ruler ruler                              = {.text = search->text};
    CLEANUP(match_keys_done) struct match_keys keys = match_keys_init();
    for (bool has_more = true;;) {
        if (!search_next(vm, search, &has_more)) return json_invalid();
        if (!has_more) return json_take(&found);
        if (!vm_spend(vm, 4 + 8 * (uint64_t)search->match.count)) return json_invalid();
        json_array_push(&found, match_value(search, &keys, &ruler));
    }
}

/* _match(re; flags; "test" | "match" | "scan") */
json native_match(struct expr_run *vm, json *args)
{
    struct search search;
    bool found = false;
    str what   = args[3].kind == JSON_TEXT ? json_str(args[3]) : str_from("match");
    if (!search_init(vm, args, &search)) return json_invalid();
    if (str_is(what, "scan")) return scan(vm, &search);
    if (!str_is(what, "test")) return matches(vm, &search);
    search.is_test = true;
    return search_next(vm, &search, &found) ? json_bool(found) : json_invalid();
}

/* --- splitting and replacing -------------------------------------------------------------------
 */

static bool has_names(const struct search *search)
{
    for (uint32_t i = 1; i < search->match.count; i++) {
        if (regex_group_name(search->regex, i).len > 0) return true;
    }
    return false;
}

static json names_value(const struct search *search)
{
    json names = json_object_new(0);
    for (uint32_t i = 1; i < search->match.count; i++) {
        str name = regex_group_name(search->regex, i);
        if (name.len > 0) json_object_put(&names, name, group_text(search, i));
    }
    return names;
}

/* _gaps(re; flags): [[[text before a match, its named captures], …], text after the last] */
json native_gaps(struct expr_run *vm, json *args)
{
    struct search search;
    if (!search_init(vm, args, &search)) return json_invalid();
    CLEANUP(json_unrefp) json gaps     = json_array_new(0);
    CLEANUP(json_unrefp) json no_names = json_object_new(0);
    size_t from                        = 0;
    for (bool found = true; found;) {
        if (!search_next(vm, &search, &found)) return json_invalid();
        if (!found) break;
        size_t to = (size_t)search.match.groups[0].from;
        if (!vm_spend_bytes(vm, to - from)) return json_invalid();
        json gap = json_array_new(2);
        json_array_push(&gap, json_text_new(str_slice(search.text, from, to)));
        json_array_push(&gap, has_names(&search) ? names_value(&search) : json_ref(no_names));
        json_array_push(&gaps, gap);
        from = (size_t)search.match.groups[0].to;
    }
    json result = json_array_new(2);
    json_array_push(&result, json_take(&gaps));
    json_array_push(&result, json_text_new(str_slice(search.text, from, search.text.len)));
    return result;
}

/* split(re; flags): always at all matches. */
json native_split_regex(struct expr_run *vm, json *args)
{
    struct search search;
    if (!search_init(vm, args, &search)) return json_invalid();
    search.is_global                = true;
    CLEANUP(json_unrefp) json parts = json_array_new(0);
    size_t from                     = 0;
    for (bool found = true; found;) {
        if (!search_next(vm, &search, &found)) return json_invalid();
        size_t to = found ? (size_t)search.match.groups[0].from : search.text.len;
        if (!vm_spend_bytes(vm, to - from)) return json_invalid();
        json_array_push(&parts, json_text_new(str_slice(search.text, from, to)));
        if (found) from = (size_t)search.match.groups[0].to;
    }
    return json_take(&parts);
}
