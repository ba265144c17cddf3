/**
 * steps: what is to be done on a page, one after the other, as `run_steps` of the adapter `browser`
 * takes it: a list of maps, each with one of these and, if it likes, `timeout` (seconds).
 *
 *   goto: URL                                       the first step is one
 *   wait_for: SELECTOR | {selector, state: visible | hidden | attached}
 *   click: SELECTOR | {selector, button: left | right | middle, count: 1..3}
 *   fill: {selector, text | secret}                 in place of what stands there
 *   type: {selector, text}                          key by key, behind what stands there
 *   select: {selector, value: TEXT | [TEXT, ...]}   options by value or label
 *   press: KEY | {key, selector}                    keys.h
 *   scroll: top | bottom | {selector} | {by: PIXELS}
 *   extract: {name: selector, ...}                  html/extract.h; names are those of the output
 *   screenshot: NAME | {as, whole, format, quality}
 *
 * `secret` names a secret of the connection; it is typed only where its setting `secret_hosts`
 * allows it. Selectors are those of html/selector.h, so that they can be checked before anything is
 * done.
 *
 * Threads: belongs to the loop; extractions are read by the pool while somebody holds them.
 */
#ifndef TOOL_ADAPTER_BROWSER_STEPS_H
#define TOOL_ADAPTER_BROWSER_STEPS_H

#include "adapter/scope.h"
#include "html/extract.h"
#include "json/json.h"

enum {
    STEPS_MAX          = 100,
    STEP_TIMEOUT_S     = 10,
    STEP_TIMEOUT_S_MAX = 60,
    STEP_TEXT_MAX      = 100'000, /* bytes that are filled in; */
    STEP_TYPED_MAX     = 2'000,   /* or typed */
    STEP_VALUES_MAX    = 100,
    STEP_NAME_MAX      = 64,
    STEP_SCROLL_MAX    = 1'000'000, /* pixels */
};

enum step_kind {
    STEP_GOTO,
    STEP_WAIT_FOR,
    STEP_CLICK,
    STEP_FILL,
    STEP_TYPE,
    STEP_SELECT,
    STEP_PRESS,
    STEP_SCROLL,
    STEP_EXTRACT,
    STEP_SCREENSHOT,
    STEP_KIND_COUNT,
};

enum step_state { STATE_VISIBLE, STATE_HIDDEN, STATE_ATTACHED };

struct page_step {
    enum step_kind kind;
    int64_t timeout_ms;
    str selector; /* empty: none; views of the list, as all texts here */
    enum step_state state;
    str text;        /* to fill in or type; the URL; the name of a picture */
    json value;      /* of a select, an array; of a press, the event of keys.h (owned) */
    bool is_secret;  /* `text` is one: a view of the connection's, which outlives the call */
    unsigned button; /* 0 left, 1 right, 2 middle */
    int64_t count;   /* of clicks; of pixels to scroll */
    bool is_whole;
    unsigned format; /* 0 png, 1 jpeg, 2 webp */
    int64_t quality;
    struct extraction *extraction;
};

struct page_steps {
    unsigned users; /* counted on the loop alone */
    json list;      /* as it was given */
    json hosts;     /* on whose pages secrets may be typed; JSON_INVALID: on none */
    struct page_step items[STEPS_MAX];
    size_t count;
};

/** "click"; static. */
const char *step_kind_name(enum step_kind kind);

/** Reads the list. `secrets` and what they yield outlive the steps. One user: page_steps_unref().
 * INVALID_ARGUMENT: the text begins with the place, "/steps/3/click: "; FAILED_PRECONDITION: a
 * secret that is not set, or that may be typed nowhere. */
status page_steps_read(json list, json secret_hosts, const struct secret_source *secrets,
                       struct page_steps **ret_steps, struct error *reterr);
struct page_steps *page_steps_ref(struct page_steps *steps);
void page_steps_unref(struct page_steps *steps); /* NULL is fine */

#endif
