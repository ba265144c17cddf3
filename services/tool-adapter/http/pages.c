#include "tool-adapter/http/pages.h"

#include "base/buf.h"
#include "http/url.h"

#include <string.h>
#include <strings.h>

static status eval(const struct formula *formula, const char *what, json scope, json *ret_value,
                   struct error *reterr)
{
    struct error error = {};
    status code        = formula_eval(formula, scope, scope_now_us(scope), ret_value, &error);
    return code == STATUS_OK ? STATUS_OK : fail(reterr, code, "`%s`: %s", what, error.text);
}

status pages_init(const struct manifest_action *action, json scope, str base_url,
                  struct arena *arena, struct pages *ret_pages, struct error *reterr)
{
    *ret_pages =
        (struct pages){.action = action, .arena = arena, .base_url = base_url, .items_max = -1};
    CLEANUP(json_unrefp) json most = json_invalid();
    if (!action->items_max) return STATUS_OK;
    TRY(eval(action->items_max, "paginate.max_items", scope, &most, reterr));
    if (json_is(most, JSON_NULL)) return STATUS_OK;
    if (!json_to_int(most, &ret_pages->items_max) || ret_pages->items_max < 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`paginate.max_items` yields no number");
    }
    return STATUS_OK;
}

void pages_done(struct pages *pages)
{
    json_unref(pages->output);
    json_unref(pages->mark);
}

/* --- together --------------------------------------------------------------------------------- */

static void append(json *list, json more)
{
    for (size_t i = 0; i < json_count(more); i++) json_array_push(list, json_ref(json_at(more, i)));
}

/* Joins `page` to `all`, which is of its kind: lists to lists, the rest takes the place. */
static void join(json *all, json page)
{
    if (json_is(page, JSON_ARRAY) && json_is(*all, JSON_ARRAY)) {
        append(all, page);
        return;
    }
    if (!json_is(page, JSON_OBJECT) || !json_is(*all, JSON_OBJECT)) {
        json_unref(*all);
        *all = json_ref(page);
        return;
    }
    for (size_t i = 0; i < json_count(page); i++) {
        str key    = json_key_at(page, i);
        json value = json_value_at(page, i);
        json old   = json_get(*all, key);
        if (!json_is(value, JSON_ARRAY) || !json_is(old, JSON_ARRAY)) {
            json_object_put(all, key, json_ref(value));
            continue;
        }
        json list = json_ref(old);
        json_object_put(all, key, json_null()); /* one owner: appending copies nothing */
        append(&list, value);
        json_object_put(all, key, list);
    }
}

/* The list of an output: it, or its first member that is one. */
static json list_of(json output)
{
    if (json_is(output, JSON_ARRAY)) return output;
    for (size_t i = 0; i < json_count(output); i++) {
        json value = json_value_at(output, i);
        if (json_is(value, JSON_ARRAY)) return value;
    }
    return json_invalid();
}

/* Says whether there are as many as were asked for; drops what is beyond. */
static bool cut(struct pages *pages)
{
    size_t most = (size_t)pages->items_max;
    if (pages->items_max < 0 || json_count(list_of(pages->output)) < most) return false;
    if (json_is(pages->output, JSON_ARRAY)) {
        json_array_truncate(&pages->output, most);
        return true;
    }
    for (size_t i = 0; i < json_count(pages->output); i++) {
        json value = json_value_at(pages->output, i);
        if (!json_is(value, JSON_ARRAY) || json_count(value) <= most) continue;
        json list = json_ref(value);
        json_array_truncate(&list, most);
        json_object_put(&pages->output, json_key_at(pages->output, i), list);
    }
    return true;
}

/* --- the next one ----------------------------------------------------------------------------- */

/* Takes `mark`. */
static void go_to_mark(struct pages *pages, json mark)
{
    json_unref(pages->mark);
    pages->mark = mark;
    pages->next = (struct page){.is_further = true, .mark = mark};
}

static status go_to_url(struct pages *pages, str address, bool *ret_more, struct error *reterr)
{
    struct url base                  = {};
    struct url there                 = {};
    CLEANUP(buf_done) struct buf url = buf_init(OUTGOING_URL_MAX);
    bool has_base                    = url_parse(pages->base_url, &base);
    bool is_relative = address.len > 1 && address.ptr[0] == '/' && address.ptr[1] != '/';
    if (is_relative && has_base) (void)url_put_origin(&url, &base);
    (void)buf_put_str(&url, address);
    bool is_home = !url.is_full && has_base && url_parse(buf_str(&url), &there) &&
                   url_same_origin(&base, &there);
    if (!is_home) {
        return fail(reterr, STATUS_OUT_OF_RANGE, "the next page is not where the first one is");
    }
    char *copy = arena_strdup(pages->arena, buf_str(&url));
    if (!copy) return fail(reterr, STATUS_OUT_OF_RANGE, "there are too many pages");
    pages->next = (struct page){.is_further = true, .url = {.ptr = copy, .len = url.len}};
    *ret_more   = true;
    return STATUS_OK;
}

static bool is_rel(str parameters, const char *rel)
{
    CLEANUP(buf_done) struct buf quoted = buf_init(ERROR_TEXT_MAX);
    CLEANUP(buf_done) struct buf plain  = buf_init(ERROR_TEXT_MAX);
    (void)buf_printf(&quoted, "rel=\"%s\"", rel);
    (void)buf_printf(&plain, "rel=%s", rel);
    if (memmem(parameters.ptr, parameters.len, quoted.ptr, quoted.len)) return true;
    const char *at = memmem(parameters.ptr, parameters.len, plain.ptr, plain.len);
    size_t behind  = at ? (size_t)(at - parameters.ptr) + plain.len : 0;
    return at && (behind == parameters.len || strchr("; ", parameters.ptr[behind]));
}

/* The address that a header Link (RFC 8288) gives for `rel`; empty: none. */
static str link_of(str header, const char *rel)
{
    const char *at  = header.ptr;
    const char *end = header.ptr + header.len;
    while (at < end) {
        const char *open  = memchr(at, '<', (size_t)(end - at));
        const char *close = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
        if (!close) break;
        const char *next = memchr(close, '<', (size_t)(end - close));
        const char *stop = next ? next : end;
        if (is_rel((str){.ptr = close, .len = (size_t)(stop - close)}, rel)) {
            return (str){.ptr = open + 1, .len = (size_t)(close - open) - 1};
        }
        at = stop;
    }
    return (str){};
}

static status next_link(struct pages *pages, json scope, bool *ret_more, struct error *reterr)
{
    json headers    = json_get_text(json_get_text(scope, "response"), "headers");
    json header     = json_get_text(headers, "link");
    const char *rel = pages->action->pagination->rel;
    if (!json_is(header, JSON_TEXT)) return STATUS_OK;
    str address = link_of(json_str(header), rel ? rel : "next");
    return address.len == 0 ? STATUS_OK : go_to_url(pages, address, ret_more, reterr);
}

static bool is_end(json value)
{
    return !json_is_truthy(value) || (json_is(value, JSON_TEXT) && json_str(value).len == 0);
}

static status next_by_formula(struct pages *pages, json scope, bool *ret_more, struct error *reterr)
{
    const struct pagination *kind  = pages->action->pagination;
    CLEANUP(json_unrefp) json next = json_invalid();
    TRY(eval(kind->next, "pagination.next", scope, &next, reterr));
    if (is_end(next)) return STATUS_OK;
    if (kind->kind == PAGES_NEXT_URL) {
        if (!json_is(next, JSON_TEXT)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "`pagination.next` yields no text");
        }
        return go_to_url(pages, json_str(next), ret_more, reterr);
    }
    if (json_equal(next, pages->mark)) {
        return fail(reterr, STATUS_OUT_OF_RANGE, "the cursor of the next page is that of this one");
    }
    go_to_mark(pages, json_take(&next));
    *ret_more = true;
    return STATUS_OK;
}

/* A short page is the last one. */
static void next_by_count(struct pages *pages, json page, bool *ret_more)
{
    const struct pagination *kind = pages->action->pagination;
    int64_t count                 = (int64_t)json_count(list_of(page));
    if (count == 0 || count < kind->page_size) return;
    int64_t step = kind->kind == PAGES_OFFSET ? (kind->page_size > 0 ? kind->page_size : count) : 1;
    int64_t at   = kind->start;
    (void)json_to_int(pages->mark, &at);
    go_to_mark(pages, json_int(at + step));
    *ret_more = true;
}

static status find_next(struct pages *pages, json scope, json page, bool *ret_more,
                        struct error *reterr)
{
    const struct pagination *kind = pages->action->pagination;
    if (kind->stop_when && formula_test(kind->stop_when, scope, scope_now_us(scope))) {
        return STATUS_OK;
    }
    switch (kind->kind) {
    case PAGES_LINK_HEADER: return next_link(pages, scope, ret_more, reterr);
    case PAGES_NEXT_URL:
    case PAGES_CURSOR: return next_by_formula(pages, scope, ret_more, reterr);
    case PAGES_OFFSET:
    case PAGES_NUMBER: next_by_count(pages, page, ret_more); break;
    }
    return STATUS_OK;
}

status pages_add(struct pages *pages, json scope, json output, bool *ret_more, struct error *reterr)
{
    CLEANUP(json_unrefp) json page = output;
    *ret_more                      = false;
    if (pages->count++ == 0) {
        pages->output = json_ref(page);
    } else {
        join(&pages->output, page);
    }
    if (!pages->action->pagination || cut(pages)) return STATUS_OK;
    if (json_count(list_of(pages->output)) > PAGES_ITEMS_MAX) {
        return fail(reterr, STATUS_OUT_OF_RANGE, "there are more than %d elements",
                    PAGES_ITEMS_MAX);
    }
    TRY(find_next(pages, scope, page, ret_more, reterr));
    if (!*ret_more || pages->count < pages->action->pagination->pages_max) return STATUS_OK;
    return fail(reterr, STATUS_OUT_OF_RANGE, "there are more than %lld pages",
                (long long)pages->action->pagination->pages_max);
}
