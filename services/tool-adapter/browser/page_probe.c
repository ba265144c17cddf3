#include "tool-adapter/browser/page_probe.h"

#include "base/buf.h"
#include "json/json_mask.h"

#include <stdio.h>

enum { ELEMENT_MAX = 64 /* bytes of what an element is called */ };

/* probe.js, which says what it does and why. */
extern const unsigned char browser_probe_js[];
extern const size_t browser_probe_js_size;

static const char rest_text[] = "() => new Promise((next) => setTimeout(() => setTimeout(next)))";

static void call(struct page *page, json world, str function, json argument, wire_answer_fn *answer)
{
    json id        = json_get_text(world, "executionContextId");
    json arguments = json_array_new(1);
    json params    = page_object_of("functionDeclaration", json_text_new(function));
    json_array_push(&arguments, page_object_of("value", argument));
    json_object_put_text(&params, "executionContextId",
                         json_is_number(id) ? json_ref(id) : json_int(0));
    json_object_put_text(&params, "arguments", arguments);
    json_object_put_text(&params, "returnByValue", json_bool(true));
    json_object_put_text(&params, "awaitPromise", json_bool(true));
    page_send(page, &page->session, "Runtime.callFunctionOn", params, answer);
}

void page_probe(struct page *page, json world, const struct page_step *step, json hosts,
                wire_answer_fn *answer)
{
    json ask = page_object_of("kind", json_text_from(step_kind_name(step->kind)));
    json_object_put_text(&ask, "selector", json_text_lossy(step->selector));
    json_object_put_text(&ask, "state", json_int(step->state));
    json_object_put_text(&ask, "count", json_int(step->count));
    if (step->kind == STEP_FILL) {
        json_object_put_text(&ask, "text", json_text_lossy(step->text));
    }
    if (step->kind == STEP_SELECT) json_object_put_text(&ask, "value", json_ref(step->value));
    if (step->is_secret) json_object_put_text(&ask, "hosts", json_ref(hosts));
    const str probe = {.ptr = (const char *)browser_probe_js, .len = browser_probe_js_size};
    call(page, world, probe, ask, answer);
}

void page_rest(struct page *page, json world, wire_answer_fn *answer)
{
    call(page, world, str_from(rest_text), json_null(), answer);
}

/* Secrets are hidden before the words are cut: half of one is not found any more. */
static void take_words(json words, const struct json_mask *mask, size_t most, struct buf *seen)
{
    CLEANUP(json_unrefp) json masked = json_invalid();
    if (!json_is(words, JSON_TEXT)) return;
    masked = mask ? json_mask_apply(mask, words) : json_ref(words);
    (void)buf_put_str(seen, str_slice(json_str(masked), 0, most));
}

/* A page's process may be anybody's: what it says is cut, and shown without what is no letter. */
static void take_seen(json value, const struct json_mask *mask, char *ret_seen)
{
    CLEANUP(buf_done) struct buf seen = buf_init(ELEMENT_MAX + PROBE_SEEN_MAX);
    take_words(json_get_text(value, "of"), mask, ELEMENT_MAX, &seen);
    take_words(json_get_text(value, "seen"), mask, PROBE_SEEN_MAX, &seen);
    (void)snprintf(ret_seen, PROBE_SEEN_MAX + 1, STR_FMT, STR_ARG(buf_str(&seen)));
    for (char *c = ret_seen; *c; c++) {
        if (*c < ' ' || *c > '~') *c = '?';
    }
}

void probe_read(json result, const char *error, const struct json_mask *mask,
                struct probe *ret_probe)
{
    static const char *const names[] = {"again", "done", "click", "write", "wrong"};
    json value                       = json_get_text(json_get_text(result, "result"), "value");
    json next                        = json_get_text(value, "next");
    json x                           = json_get_text(value, "x");
    json y                           = json_get_text(value, "y");
    *ret_probe                       = (struct probe){.next = PROBE_AGAIN};
    if (error) return;
    take_seen(value, mask, ret_probe->seen);
    for (unsigned i = 0; json_is(next, JSON_TEXT) && i < ARRAY_LEN(names); i++) {
        if (str_is(json_str(next), names[i])) ret_probe->next = (enum probe_next)i;
    }
    if (json_is_number(x)) ret_probe->x = json_number(x);
    if (json_is_number(y)) ret_probe->y = json_number(y);
}
