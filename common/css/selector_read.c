/* Reads selectors. The stack of open lists is explicit. */
#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "css/selector_internal.h"

#include <stdlib.h>

enum { ARENA_MAX = 256 << 10 /* bytes: far more than the other limits need */ };

struct open_list {
    struct selector_list *list;
    struct selector_complex **complex_end; /* where the next one is linked */
    struct selector_complex *complex;
    struct selector_part *part;       /* NULL: none was begun */
    struct selector_test *outer_test; /* whose list this is; NULL: the selector itself */
    struct selector_test **tests_end; /* of the part */
    bool has_combinator;              /* a combinator was read and waits for its part */
    enum combinator combinator;
};

struct reader {
    struct scanner in;
    struct selector *selector;
    struct selector_list **lists_end;
    struct open_list open[SELECTOR_DEPTH_MAX + 1];
    size_t depth;
};

/* --- parts ------------------------------------------------------------------------------------ */

static void *allocate(struct reader *reader, size_t size)
{
    void *memory = arena_alloc(reader->selector->arena, size);
    ASSERT(memory); /* other limits come first */
    return memory;
}

static struct open_list *innermost(struct reader *reader)
{
    return &reader->open[reader->depth - 1];
}

static status open_list(struct reader *reader, struct selector_test *outer)
{
    if (reader->depth > SELECTOR_DEPTH_MAX) {
        return scan_refuse(&reader->in, "too many levels of brackets");
    }
    struct selector_list *list = allocate(reader, sizeof *list);
    list->is_relative          = outer && outer->kind == TEST_HAS;
    reader->open[reader->depth++] =
        (struct open_list){.list = list, .complex_end = &list->first, .outer_test = outer};
    scan_space(&reader->in);
    return STATUS_OK;
}

/* The part that tests are added to; begins one if a combinator, a comma or nothing stands before.
 */
static status begin_part(struct reader *reader)
{
    struct open_list *open = innermost(reader);
    if (open->part && !open->has_combinator) return STATUS_OK;
    if (reader->selector->part_count == SELECTOR_PARTS_MAX) {
        return scan_refuse(&reader->in, "the selector has too many parts");
    }
    reader->selector->part_count++;
    struct selector_part *part = allocate(reader, sizeof *part);
    part->before               = open->has_combinator ? open->combinator : COMBINE_BELOW;
    part->previous             = open->part;
    if (open->part) {
        open->part->next = part;
    } else {
        open->complex        = allocate(reader, sizeof *open->complex);
        open->complex->first = part;
        *open->complex_end   = open->complex;
        open->complex_end    = &open->complex->next;
    }
    open->complex->last  = part;
    open->part           = part;
    open->tests_end      = &part->tests;
    open->has_combinator = false;
    return STATUS_OK;
}

static status add_test(struct reader *reader, enum test_kind kind, struct selector_test **ret_test)
{
    TRY(begin_part(reader));
    if (reader->selector->test_count == SELECTOR_TESTS_MAX) {
        return scan_refuse(&reader->in, "the selector tests too much");
    }
    reader->selector->test_count++;
    struct open_list *open = innermost(reader);
    *ret_test              = allocate(reader, sizeof **ret_test);
    (*ret_test)->kind      = kind;
    *open->tests_end       = *ret_test;
    open->tests_end        = &(*ret_test)->next;
    return STATUS_OK;
}

static status read_type(struct reader *reader)
{
    struct open_list *open = innermost(reader);
    if (open->part && !open->has_combinator) {
        return scan_refuse(&reader->in, "a type stands before what else a part says");
    }
    TRY(begin_part(reader));
    if (!scan_take(&reader->in, '*')) {
        TRY(scan_name(&reader->in, true, &open->part->type));
        scan_lower(open->part->type);
    }
    if (scan_peek(&reader->in) == '|') {
        return scan_refuse(&reader->in, "namespaces are not supported");
    }
    return STATUS_OK;
}

/* Attributes of HTML whose values ignore case in selectors: HTML standard, "Case-sensitivity of
 * selectors". */
static bool ignores_case(str name)
{
    static const char *const names[] = {
        "accept",   "accept-charset", "align",    "alink",     "axis",    "bgcolor",  "charset",
        "checked",  "clear",          "codetype", "color",     "compact", "declare",  "defer",
        "dir",      "direction",      "disabled", "enctype",   "face",    "frame",    "hreflang",
        "lang",     "language",       "link",     "media",     "method",  "multiple", "nohref",
        "noresize", "noshade",        "nowrap",   "readonly",  "rel",     "rev",      "rules",
        "scope",    "scrolling",      "selected", "shape",     "target",  "text",     "type",
        "valign",   "valuetype",      "vlink",    "http-equiv"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_is(name, names[i])) return true;
    }
    return false;
}

static status read_operator(struct reader *reader, enum test_kind *ret_kind)
{
    static const struct {
        char sign;
        enum test_kind kind;
    } operators[] = {{'~', TEST_WORD},   {'|', TEST_DASH},     {'^', TEST_PREFIX},
                     {'$', TEST_SUFFIX}, {'*', TEST_CONTAINS}, {'=', TEST_EQUALS}};
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (scan_peek(&reader->in) != operators[i].sign) continue;
        *ret_kind = operators[i].kind;
        reader->in.at++;
        if (operators[i].sign != '=' && !scan_take(&reader->in, '=')) {
            return scan_refuse(&reader->in, "= is missing");
        }
        return STATUS_OK;
    }
    return scan_refuse(&reader->in, "] or an operator such as = or ^= is missing");
}

static status read_attribute(struct reader *reader)
{
    struct selector_test *test = NULL;
    reader->in.at++;
    TRY(add_test(reader, TEST_HAS_ATTRIBUTE, &test));
    scan_space(&reader->in);
    TRY(scan_name(&reader->in, true, &test->name));
    scan_lower(test->name);
    scan_space(&reader->in);
    if (scan_take(&reader->in, ']')) return STATUS_OK;
    if (scan_peek(&reader->in) == '|' && scan_peek_at(&reader->in, 1) != '=') {
        return scan_refuse(&reader->in, "namespaces are not supported");
    }
    TRY(read_operator(reader, &test->kind));
    scan_space(&reader->in);
    if (scan_peek(&reader->in) == '"' || scan_peek(&reader->in) == '\'') {
        TRY(scan_string(&reader->in, &test->value));
    } else {
        if (scan_is_digit(scan_peek(&reader->in))) {
            return scan_refuse(&reader->in, "a value such as this stands in quotes");
        }
        TRY(scan_name(&reader->in, true, &test->value));
    }
    scan_space(&reader->in);
    test->ignores_case = ignores_case(test->name);
    int flag           = scan_peek(&reader->in);
    if (flag == 'i' || flag == 'I' || flag == 's' || flag == 'S') {
        test->ignores_case = flag == 'i' || flag == 'I';
        reader->in.at++;
        scan_space(&reader->in);
    }
    return scan_take(&reader->in, ']') ? STATUS_OK : scan_refuse(&reader->in, "] is missing");
}

/* --- pseudo-classes --------------------------------------------------------------------------- */

static const struct pseudo {
    const char *name;
    enum test_kind kind;
    bool from_end, of_type;
    int offset; /* of a TEST_NTH without argument; 0: it has one */
} pseudos[] = {
    {"root", TEST_ROOT, false, false, 0},       {"empty", TEST_EMPTY, false, false, 0},
    {"first-child", TEST_NTH, false, false, 1}, {"last-child", TEST_NTH, true, false, 1},
    {"only-child", TEST_ONLY, false, false, 0}, {"first-of-type", TEST_NTH, false, true, 1},
    {"last-of-type", TEST_NTH, true, true, 1},  {"only-of-type", TEST_ONLY, false, true, 0},
    {"nth-child", TEST_NTH, false, false, 0},   {"nth-last-child", TEST_NTH, true, false, 0},
    {"nth-of-type", TEST_NTH, false, true, 0},  {"nth-last-of-type", TEST_NTH, true, true, 0},
    {"is", TEST_ANY_OF, false, false, 0},       {"where", TEST_ANY_OF, false, false, 0},
    {"matches", TEST_ANY_OF, false, false, 0},  {"not", TEST_NONE_OF, false, false, 0},
    {"has", TEST_HAS, false, false, 0},
};

static bool takes_argument(const struct pseudo *pseudo)
{
    return pseudo->kind >= TEST_ANY_OF || (pseudo->kind == TEST_NTH && pseudo->offset == 0);
}

static status read_pseudo(struct reader *reader)
{
    size_t from = reader->in.at++;
    if (scan_peek(&reader->in) == ':') {
        return scan_refuse(&reader->in, "pseudo-elements are not supported");
    }
    str name = {};
    TRY(scan_name(&reader->in, true, &name));
    scan_lower(name);
    const struct pseudo *pseudo = NULL;
    for (size_t i = 0; i < ARRAY_LEN(pseudos); i++) {
        if (str_is(name, pseudos[i].name)) pseudo = &pseudos[i];
    }
    if (!pseudo) {
        reader->in.at = from;
        return fail(reader->in.reterr, STATUS_INVALID_ARGUMENT,
                    "selector, column %zu: :%.40s is not supported", from + 1, name.ptr);
    }
    struct selector_test *test = NULL;
    TRY(add_test(reader, pseudo->kind, &test));
    test->from_end = pseudo->from_end;
    test->of_type  = pseudo->of_type;
    test->offset   = pseudo->offset;
    if (!takes_argument(pseudo)) {
        return scan_peek(&reader->in) == '('
                   ? scan_refuse(&reader->in, "this pseudo-class takes nothing in brackets")
                   : STATUS_OK;
    }
    if (!scan_take(&reader->in, '(')) return scan_refuse(&reader->in, "( is missing");
    return pseudo->kind == TEST_NTH ? scan_nth(&reader->in, test) : open_list(reader, test);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* A complex selector ends: at a comma, a bracket or the end of the text. */
static status end_complex(struct reader *reader)
{
    struct open_list *open = innermost(reader);
    if (open->has_combinator) {
        return scan_refuse(&reader->in, "something is missing behind the combinator");
    }
    if (!open->part) return scan_refuse(&reader->in, "a selector is missing");
    open->part = NULL;
    return STATUS_OK;
}

static status close_list(struct reader *reader)
{
    TRY(end_complex(reader));
    struct open_list *open = innermost(reader);
    open->list->index      = reader->selector->list_count++;
    *reader->lists_end     = open->list;
    reader->lists_end      = &open->list->next;
    if (open->outer_test) open->outer_test->list = open->list;
    reader->depth--;
    return STATUS_OK;
}

static bool combinator_of(int c, enum combinator *ret_combinator)
{
    switch (c) {
    case '>': *ret_combinator = COMBINE_CHILD; return true;
    case '+': *ret_combinator = COMBINE_NEXT; return true;
    case '~': *ret_combinator = COMBINE_AFTER; return true;
    default: return false;
    }
}

/* White space and what follows it: a combinator, or the end of something. */
static status read_between(struct reader *reader)
{
    struct open_list *open = innermost(reader);
    bool has_space         = scan_space(&reader->in);
    int c                  = scan_peek(&reader->in);
    enum combinator combinator;
    if (combinator_of(c, &combinator)) {
        if (!open->part && !open->list->is_relative) {
            return scan_refuse(&reader->in, "a selector cannot begin with a combinator");
        }
        reader->in.at++;
        scan_space(&reader->in);
        open->combinator     = combinator;
        open->has_combinator = true;
        if (combinator_of(scan_peek(&reader->in), &combinator)) {
            return scan_refuse(&reader->in, "two combinators stand side by side");
        }
    } else if (has_space && open->part && c >= 0 && c != ',' && c != ')') {
        open->combinator     = COMBINE_BELOW;
        open->has_combinator = true;
    }
    return STATUS_OK;
}

static status read_next(struct reader *reader)
{
    TRY(read_between(reader));
    int c                      = scan_peek(&reader->in);
    struct selector_test *test = NULL;
    switch (c) {
    case -1: return STATUS_OK;
    case ',':
        TRY(end_complex(reader));
        reader->in.at++;
        scan_space(&reader->in);
        return STATUS_OK;
    case ')':
        if (reader->depth == 1) return scan_refuse(&reader->in, "this bracket was never opened");
        TRY(close_list(reader));
        reader->in.at++;
        return STATUS_OK;
    case '.':
        reader->in.at++;
        TRY(add_test(reader, TEST_CLASS, &test));
        return scan_name(&reader->in, true, &test->value);
    case '#':
        reader->in.at++;
        TRY(add_test(reader, TEST_ID, &test));
        return scan_name(&reader->in, true, &test->value);
    case '[': return read_attribute(reader);
    case ':': return read_pseudo(reader);
    case '|': return scan_refuse(&reader->in, "namespaces are not supported");
    default:
        if (c == '*' || scan_is_name(c) || scan_is_escape(&reader->in)) return read_type(reader);
        return scan_refuse(&reader->in, "this character has no meaning here");
    }
}

static status read_all(struct reader *reader)
{
    TRY(open_list(reader, NULL));
    while (scan_peek(&reader->in) >= 0) TRY(read_next(reader));
    if (reader->depth > 1) return scan_refuse(&reader->in, ") is missing");
    return close_list(reader);
}

status selector_parse(str text, struct selector **ret_selector, struct error *reterr)
{
    if (text.len > SELECTOR_SIZE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "selector: it has more than %d bytes",
                    SELECTOR_SIZE_MAX);
    }
    size_t valid                                      = utf8_valid_prefix(text);
    CLEANUP(selector_freep) struct selector *selector = mem_new(1, sizeof *selector);
    selector->arena                                   = arena_new(ARENA_MAX);

    struct reader reader = {
        .in        = {.text = text, .arena = selector->arena, .reterr = reterr},
        .selector  = selector,
        .lists_end = &selector->lists,
    };
    reader.in.at = valid;
    if (valid < text.len || memchr(text.ptr, '\0', text.len)) {
        return scan_refuse(&reader.in, "no UTF-8");
    }
    reader.in.at = 0;
    TRY(read_all(&reader));
    *ret_selector = TAKE(selector);
    return STATUS_OK;
}

void selector_free(struct selector *selector)
{
    if (!selector) return;
    arena_free(selector->arena);
    free(selector);
}

void selector_freep(struct selector **selector)
{
    selector_free(*selector);
}

size_t selector_parts(const struct selector *selector)
{
    return selector->part_count;
}
