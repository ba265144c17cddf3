#include "scheduler/engine/budgets/book.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = BUDGET_SCOPE_MAX + 256 /* bytes, with a namespace */ };

/* A budget; those of one scope are a list. */
struct noted {
    char *name;  /* owned */
    char *key;   /* owned: "namespace\x1fname" */
    char *scope; /* owned: "namespace\x1fscope" */
    struct noted *next;
};

struct book {
    struct map *by_key;   /* struct noted, owned */
    struct map *by_scope; /* the first struct noted of a list */
};

struct book *book_new(void)
{
    struct book *book = mem_new(1, sizeof *book);
    book->by_key      = map_new(BUDGETS_MAX);
    book->by_scope    = map_new(BUDGETS_MAX);
    return book;
}

static void noted_free(struct noted *noted)
{
    free(noted->name);
    free(noted->key);
    free(noted->scope);
    free(noted);
}

void book_free(struct book *book)
{
    if (!book) return;
    size_t cursor = 0;
    void *noted   = NULL;
    while (map_next(book->by_key, &cursor, NULL, &noted)) noted_free(noted);
    map_free(book->by_key);
    map_free(book->by_scope);
    free(book);
}

size_t book_count(const struct book *book)
{
    return map_count(book->by_key);
}

bool budget_scope_put(Pb__BudgetScope scope, const char *label, const char *value, struct buf *out)
{
    switch (scope) {
    case PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL: return buf_printf(out, "label:%s=%s", label, value);
    case PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY: return buf_printf(out, "key:%s", value);
    case PB__BUDGET_SCOPE__BUDGET_SCOPE_RUN: return buf_printf(out, "run:%s", value);
    default: return buf_put_text(out, "namespace");
    }
}

static str joined(str namespace, str text, struct buf *out)
{
    (void)buf_put_str(out, namespace);
    (void)buf_put_byte(out, '\x1f');
    (void)buf_put_str(out, text);
    return buf_str(out);
}

/* --- put, drop ---------------------------------------------------------------------------------
 */

static void unlink_scope(struct book *book, struct noted *noted)
{
    struct noted *first = map_remove(book->by_scope, str_from(noted->scope));
    if (first == noted) {
        first = noted->next;
    } else {
        struct noted *before = first;
        while (before->next != noted) before = before->next;
        before->next = noted->next;
    }
    noted->next = NULL;
    bool is_put = !first || map_put(book->by_scope, str_from(noted->scope), first);
    ASSERT(is_put); /* it was there */
}

void book_drop(struct book *book, str namespace, str name)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    struct noted *noted              = map_remove(book->by_key, joined(namespace, name, &key));
    if (!noted) return;
    unlink_scope(book, noted);
    noted_free(noted);
}

bool book_put(struct book *book, const Pb__BudgetView *view)
{
    CLEANUP(buf_done) struct buf key   = buf_init(KEY_MAX);
    CLEANUP(buf_done) struct buf scope = buf_init(BUDGET_SCOPE_MAX);
    CLEANUP(buf_done) struct buf full  = buf_init(KEY_MAX);
    const Pb__BudgetSpec *spec         = view->spec;
    str namespace                      = str_from(view->namespace_);
    book_drop(book, namespace, str_from(view->name));
    if (map_count(book->by_key) >= BUDGETS_MAX) return false;
    if (!budget_scope_put(spec->scope, spec->label, spec->value, &scope)) return false;

    str own             = joined(namespace, str_from(view->name), &key);
    str whose           = joined(namespace, buf_str(&scope), &full);
    struct noted *noted = mem_new(1, sizeof *noted);
    noted->name         = mem_dup(view->name, strlen(view->name));
    noted->key          = mem_dup(own.ptr, own.len);
    noted->scope        = mem_dup(whose.ptr, whose.len);
    noted->next         = map_get(book->by_scope, whose);
    bool is_put = map_put(book->by_key, own, noted) && map_put(book->by_scope, whose, noted);
    ASSERT(is_put);
    return true;
}

static bool has_name(const struct payers *payers, const char *name)
{
    for (size_t i = 0; i < payers->count; i++) {
        if (strcmp(payers->names[i], name) == 0) return true;
    }
    return false;
}

bool book_add_payers(const struct book *book, str namespace, str scope, struct payers *payers)
{
    CLEANUP(buf_done) struct buf full = buf_init(KEY_MAX);
    const struct noted *noted         = map_get(book->by_scope, joined(namespace, scope, &full));
    for (; noted; noted = noted->next) {
        if (has_name(payers, noted->name)) continue;
        if (payers->count == BUDGET_PAYERS_MAX) return false;
        payers->names[payers->count++] = noted->name;
    }
    return true;
}
