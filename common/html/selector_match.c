/*
 * Which elements match. Instead of asking element by element, each part of a selector is run over
 * all nodes and leaves the set of those that match so far: "a > b c" is the set of all a, then of
 * all b with a parent in that set, then of all c with an ancestor in that one. :has() runs the
 * other way round, from the last part to the first.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "css/selector_tree.h"
#include "html/selector.h"

#include <stdlib.h>
#include <strings.h>

typedef uint8_t set; /* an array with one for each node: 1 if it is in the set */

struct run {
    const struct html_document *document;
    const struct html_node *nodes;
    uint32_t count;
    set **lists;          /* by the index of a list: the elements that match it */
    uint32_t *type_index; /* by node, from 1; NULL: nobody asked yet */
    uint32_t *type_count; /* by node: of all siblings of its type */
};

/* --- siblings of one type --------------------------------------------------------------------- */

/*
 * An open hash table from (parent, name) to the newest element of that name. It is filled in one
 * pass forwards, which gives positions, and emptied backwards, which gives the numbers.
 */
struct type_table {
    uint32_t *slots; /* numbers of nodes; 0: free */
    uint32_t mask;
};

static uint32_t *type_slot(const struct type_table *table, const struct html_node *nodes,
                           uint32_t node)
{
    uint64_t key  = (uint64_t)nodes[node].parent << 32 | nodes[node].name;
    uint32_t slot = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & table->mask;
    while (table->slots[slot] != 0) {
        const struct html_node *other = &nodes[table->slots[slot]];
        if (other->parent == nodes[node].parent && other->name == nodes[node].name) break;
        slot = (slot + 1) & table->mask;
    }
    return &table->slots[slot];
}

static void count_types(struct run *run)
{
    if (run->type_index) return;
    uint32_t size = 16;
    while (size < run->count * 2) size *= 2;
    struct type_table table = {.slots = mem_new(size, sizeof(uint32_t)), .mask = size - 1};
    run->type_index         = mem_new(run->count, sizeof(uint32_t));
    run->type_count         = mem_new(run->count, sizeof(uint32_t));
    for (uint32_t i = 1; i < run->count; i++) {
        if (run->nodes[i].kind != HTML_ELEMENT) continue;
        uint32_t *slot     = type_slot(&table, run->nodes, i);
        run->type_index[i] = *slot == 0 ? 1 : run->type_index[*slot] + 1;
        *slot              = i;
    }
    for (uint32_t i = 1; i < run->count; i++) {
        if (run->nodes[i].kind != HTML_ELEMENT) continue;
        run->type_count[i] = run->type_index[*type_slot(&table, run->nodes, i)];
    }
    free(table.slots);
}

/* --- tests ------------------------------------------------------------------------------------ */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool same(const char *a, const char *b, size_t len, bool ignores_case)
{
    return ignores_case ? strncasecmp(a, b, len) == 0 : memcmp(a, b, len) == 0;
}

static bool has_word(str text, str word, bool ignores_case)
{
    if (word.len == 0) return false;
    for (size_t from = 0; from + word.len <= text.len;) {
        size_t to = from;
        while (to < text.len && !is_space(text.ptr[to])) to++;
        if (to - from == word.len && (ignores_case || text.ptr[from] == word.ptr[0]) &&
            same(text.ptr + from, word.ptr, word.len, ignores_case)) {
            return true;
        }
        from = to + 1;
    }
    return false;
}

static bool contains(str text, str part, bool ignores_case)
{
    if (part.len == 0 || part.len > text.len) return false;
    if (!ignores_case) return memmem(text.ptr, text.len, part.ptr, part.len);
    return strcasestr(text.ptr, part.ptr); /* linear; both end with a NUL */
}

static bool value_matches(const struct selector_test *test, str text)
{
    str value = test->value;
    bool fits = value.len > 0 && text.len >= value.len;
    switch (test->kind) {
    case TEST_ID: return str_equal(text, value);
    case TEST_HAS_ATTRIBUTE: return true;
    case TEST_CLASS:
    case TEST_WORD: return has_word(text, value, test->ignores_case);
    case TEST_EQUALS:
        return text.len == value.len && same(text.ptr, value.ptr, value.len, test->ignores_case);
    case TEST_DASH:
        return text.len >= value.len && same(text.ptr, value.ptr, value.len, test->ignores_case) &&
               (text.len == value.len || text.ptr[value.len] == '-');
    case TEST_PREFIX: return fits && same(text.ptr, value.ptr, value.len, test->ignores_case);
    case TEST_SUFFIX:
        return fits &&
               same(text.ptr + text.len - value.len, value.ptr, value.len, test->ignores_case);
    case TEST_CONTAINS: return contains(text, value, test->ignores_case);
    default: return false;
    }
}

static str attribute_of(const struct selector_test *test)
{
    if (test->kind == TEST_ID) return (str){.ptr = "id", .len = 2};
    if (test->kind == TEST_CLASS) return (str){.ptr = "class", .len = 5};
    return test->name;
}

static bool is_empty(const struct run *run, uint32_t node)
{
    for (uint32_t i = node + 1; i < run->nodes[node].end; i++) {
        if (run->nodes[i].kind == HTML_ELEMENT || run->nodes[i].text.len > 0) {
            if (run->nodes[i].kind != HTML_COMMENT) return false;
        }
    }
    return true;
}

static bool is_nth(const struct run *run, const struct selector_test *test, uint32_t node)
{
    const struct html_node *at = &run->nodes[node];
    int64_t position           = test->of_type ? run->type_index[node] : at->position;
    int64_t count = test->of_type ? run->type_count[node] : run->nodes[at->parent].elements;
    if (test->kind == TEST_ONLY) return count == 1;
    if (test->from_end) position = count - position + 1;
    int64_t distance = position - test->offset;
    if (test->step == 0) return distance == 0;
    return distance % test->step == 0 && distance / test->step >= 0;
}

static bool test_holds(const struct run *run, const struct selector_test *test, uint32_t node)
{
    str value;
    switch (test->kind) {
    case TEST_ROOT: return run->nodes[node].parent == 0;
    case TEST_EMPTY: return is_empty(run, node);
    case TEST_NTH:
    case TEST_ONLY: return is_nth(run, test, node);
    case TEST_ANY_OF:
    case TEST_HAS: return run->lists[test->list->index][node];
    case TEST_NONE_OF: return !run->lists[test->list->index][node];
    default:
        return html_attribute(run->document, node, attribute_of(test), &value) &&
               value_matches(test, value);
    }
}

/* The elements that are called as a part wants. */
static const uint32_t *called(const struct run *run, const struct selector_part *part,
                              uint32_t *ret_count)
{
    uint32_t name = HTML_NO_NAME;
    if (part->type.len > 0) {
        name       = html_name_number(run->document, part->type);
        *ret_count = 0;
        if (name == HTML_NO_NAME) return NULL;
    }
    return html_elements(run->document, name, ret_count);
}

/* An element that is called as the part wants. */
static bool tests_hold(const struct run *run, const struct selector_part *part, uint32_t element)
{
    for (const struct selector_test *test = part->tests; test; test = test->next) {
        if (!test_holds(run, test, element)) return false;
    }
    return true;
}

/* --- combinators ------------------------------------------------------------------------------ */

/* Forwards: `reached[n]` says whether something of `from` stands before n as the combinator wants.
 */
static void reach_forwards(const struct run *run, enum combinator combinator, const set *from,
                           set *reached)
{
    uint32_t count           = 0;
    const uint32_t *elements = html_elements(run->document, HTML_NO_NAME, &count);
    memset(reached, 0, run->count);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t i                   = elements[k];
        const struct html_node *node = &run->nodes[i];
        switch (combinator) {
        case COMBINE_BELOW: reached[i] = reached[node->parent] | from[node->parent]; break;
        case COMBINE_CHILD: reached[i] = from[node->parent]; break;
        case COMBINE_NEXT: reached[i] = node->previous ? from[node->previous] : 0; break;
        case COMBINE_AFTER:
            reached[i] = node->previous ? reached[node->previous] | from[node->previous] : 0;
            break;
        }
    }
}

/* Backwards: whether something of `to` stands behind or below n as the combinator wants. */
static void reach_backwards(const struct run *run, enum combinator combinator, const set *to,
                            set *reached)
{
    uint32_t count           = 0;
    const uint32_t *elements = html_elements(run->document, HTML_NO_NAME, &count);
    memset(reached, 0, run->count);
    for (uint32_t k = count; k > 0; k--) {
        uint32_t i                   = elements[k - 1];
        const struct html_node *node = &run->nodes[i];
        switch (combinator) {
        case COMBINE_BELOW: reached[node->parent] |= reached[i] | to[i]; break;
        case COMBINE_CHILD: reached[node->parent] |= to[i]; break;
        case COMBINE_NEXT:
            if (node->previous) reached[node->previous] |= to[i];
            break;
        case COMBINE_AFTER:
            if (node->previous) reached[node->previous] |= reached[i] | to[i];
            break;
        }
    }
}

static void match_part(const struct run *run, const struct selector_part *part, const set *reached,
                       set *matched)
{
    uint32_t count           = 0;
    const uint32_t *elements = called(run, part, &count);
    memset(matched, 0, run->count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t element = elements[i];
        matched[element] = (!reached || reached[element]) && tests_hold(run, part, element);
    }
}

/* Adds the elements that match "a > b c". */
static void match_complex(const struct run *run, const struct selector_complex *complex, set *out)
{
    set *matched = mem_new(run->count, sizeof *matched);
    set *reached = mem_alloc(run->count);
    match_part(run, complex->first, NULL, matched);
    for (const struct selector_part *part = complex->first->next; part; part = part->next) {
        reach_forwards(run, part->before, matched, reached);
        match_part(run, part, reached, matched);
    }
    for (uint32_t i = 1; i < run->count; i++) out[i] |= matched[i];
    free(reached);
    free(matched);
}

/* Adds the elements that have what a relative selector says. */
static void match_relative(const struct run *run, const struct selector_complex *complex, set *out)
{
    set *matched = mem_new(run->count, sizeof *matched);
    set *reached = mem_alloc(run->count);
    match_part(run, complex->last, NULL, matched);
    for (const struct selector_part *part = complex->last; part; part = part->previous) {
        reach_backwards(run, part->before, matched, reached);
        if (part->previous) match_part(run, part->previous, reached, matched);
    }
    for (uint32_t i = 1; i < run->count; i++) {
        out[i] |= reached[i] && run->nodes[i].kind == HTML_ELEMENT;
    }
    free(reached);
    free(matched);
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool asks_for_types(const struct selector_complex *complex)
{
    for (const struct selector_part *part = complex->first; part; part = part->next) {
        for (const struct selector_test *test = part->tests; test; test = test->next) {
            if (test->of_type) return true;
        }
    }
    return false;
}

static void match_list(struct run *run, const struct selector_list *list)
{
    set *out = mem_new(run->count, sizeof *out);
    for (const struct selector_complex *complex = list->first; complex; complex = complex->next) {
        if (asks_for_types(complex)) count_types(run);
        if (list->is_relative) {
            match_relative(run, complex, out);
        } else {
            match_complex(run, complex, out);
        }
    }
    run->lists[list->index] = out;
}

static void collect(const set *matched, uint32_t count, struct html_matches *ret_matches)
{
    size_t found = 0;
    for (uint32_t i = 1; i < count; i++) found += matched[i];
    *ret_matches = (struct html_matches){.nodes = mem_new(found + 1, sizeof(uint32_t))};
    for (uint32_t i = 1; i < count; i++) {
        if (matched[i]) ret_matches->nodes[ret_matches->count++] = i;
    }
}

void selector_match(const struct selector *selector, const struct html_document *document,
                    struct html_matches *ret_matches)
{
    struct run run = {.document = document,
                      .nodes    = html_nodes(document),
                      .count    = html_node_count(document),
                      .lists    = mem_new(selector->list_count, sizeof(set *))};
    for (const struct selector_list *list = selector->lists; list; list = list->next) {
        match_list(&run, list);
    }
    collect(run.lists[selector->list_count - 1], run.count, ret_matches);
    for (size_t i = 0; i < selector->list_count; i++) free(run.lists[i]);
    free(run.lists);
    free(run.type_index);
    free(run.type_count);
}

void html_matches_done(struct html_matches *matches)
{
    free(matches->nodes);
    *matches = (struct html_matches){};
}

/* The index of the first match that is not before `node`. */
static size_t lower_bound(const struct html_matches *matches, uint32_t node)
{
    size_t from = 0;
    size_t to   = matches->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (matches->nodes[middle] < node) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

size_t html_matches_below(const struct html_matches *matches, const struct html_document *document,
                          uint32_t node, size_t *ret_count)
{
    size_t first = lower_bound(matches, node + 1);
    *ret_count   = lower_bound(matches, html_nodes(document)[node].end) - first;
    return first;
}
