/* One browser and its pages. browser.c: its life; page.c: a page's; page_hear.c: what it says;
 * page_wait.c: when it is there; page_capture.c: what is made of it; page_fetch.c: what it wants;
 * page_run.c: steps on it, with page_probe.c and page_read.c. */
#ifndef TOOL_ADAPTER_BROWSER_BROWSER_INTERNAL_H
#define TOOL_ADAPTER_BROWSER_BROWSER_INTERNAL_H

#include "http/url.h"
#include "tool-adapter/browser/browser.h"
#include "tool-adapter/browser/chromium.h"
#include "tool-adapter/browser/wire.h"

/* Where a page that is given pretends to be; nobody else is there (RFC 6761). */
#define TEMPLATE_URL "https://template.invalid/"

enum browser_state {
    BROWSER_NONE,
    BROWSER_STARTING,
    BROWSER_READY,
    BROWSER_RETIRED, /* no more pages */
    BROWSER_ENDING,
};

struct page_list {
    struct page *first, *last;
    unsigned count;
};

struct browser {
    struct browser_options options;
    enum browser_state state;
    struct chromium *chromium;
    struct wire *wire;
    struct page_list waiting, open;
    unsigned served;            /* pages of this one */
    const char *why;            /* it was ended; NULL: by itself */
    struct loop_timer pump;     /* looks what can be done, soon */
    struct loop_timer patience; /* with its start, its end, or with nothing to do */
    struct loop_timer look;     /* at its memory */
};

struct page_fetch;
struct page_run;

struct page {
    struct page *previous, *next;
    struct page_list *list;
    struct browser *browser;
    struct page_request request;                                   /* its texts are owned */
    void (*done)(const struct page_result *result, void *context); /* NULL: nobody listens */
    void *context;
    struct page_result result;
    struct loop_timer deadline; /* also of closing it */
    bool is_closing;

    char *context_id, *target_id; /* owned; a page's target is its main frame */
    struct wire_session session;
    struct wire_session *frames[PAGE_FRAMES_MAX]; /* owned */

    bool is_loaded, is_found, is_capturing, is_starting;
    int64_t triggered_ms; /* 0: what was waited for is not there */
    struct loop_timer settle, poll;
    unsigned set_up_left; /* commands without an answer, before it goes anywhere */
    struct page_run *run; /* NULL: there are no steps */

    struct page_fetch *first, *last; /* requests under way or waiting */
    unsigned active, requests, redirects, windows;
    size_t bytes, said;
    struct buf url;    /* of the document */
    struct buf origin; /* of the page that was asked for */
    char retry_after[64];
};

/* browser.c */
void page_list_put(struct page_list *list, struct page *page);
void page_list_remove(struct page *page);
void browser_pump(struct browser *browser);
void browser_end(struct browser *browser, const char *why);

/* page.c */
void page_open(struct page *page);
void page_free(struct page *page);
/* Tells what became of it, and closes it. */
void page_finish(struct page *page);
PRINTF_LIKE(4, 5)
void page_fault(struct page *page, const char *name, status code, const char *format, ...);
void page_went_wrong(struct page *page, const char *error);
/* `params` is taken; JSON_INVALID: none. `answer` gets the page as its context. */
void page_send(struct page *page, const struct wire_session *session, const char *method,
               json params, wire_answer_fn *answer);
json page_object_of(const char *key, json value); /* takes */

int64_t page_now_ms(const struct page *page);

/* page_hear.c */
void page_heard(struct wire_session *session, str method, json params, void *context);
void page_leave_all(struct page *page);
json page_attachment_new(void); /* parameters of Target.setAutoAttach, and of Fetch.enable */
json page_interception_new(void);

/* page_wait.c */
void page_consider(struct page *page); /* what is under way has changed */
void page_look_again(struct page *page);
void page_poll(void *context); /* of the page's timers */
void page_has_settled(void *context);

/* page_capture.c */
void page_capture(struct page *page);
/* In a world of its own, which page_enter_world() gives: what the page made of its objects does
 * not show there. */
void page_enter_world(struct page *page, wire_answer_fn *answer);
void page_evaluate(struct page *page, json world, const char *expression, wire_answer_fn *answer);
bool page_fits(const struct page *page, double width, double height); /* within the limits */

/* page_fetch.c */
void page_fetch_begin(struct page *page, struct wire_session *session, json params);
void page_fetch_cancel_all(struct page *page);

/* page_run.c; of a page without steps the last five do nothing, or say no. */
struct page_run *page_run_new(struct page *page, struct page_steps *steps);
void page_run_begin(struct page *page);
void page_run_look(struct page *page);     /* for what the step is about */
void page_run_consider(struct page *page); /* it may be where it was led to */
bool page_run_takes(const struct page *page);
void page_run_take(struct page *page, str content);
void page_run_take_data(struct page *page, json data, size_t size); /* of page_read() */
void page_run_settle(struct page *page);
void page_run_leaves(struct page *page);
void page_run_has_left(struct page *page);
bool page_run_names(const struct page *page, const struct url *url); /* a step goes to its host */
/* Puts which step it is, "/steps/3/click: ", and returns its length. */
size_t page_run_place(const struct page *page, char *ret_text, size_t size);
bool page_run_is_going(const struct page *page);   /* a step goes to a URL */
bool page_run_has_waited(const struct page *page); /* what is to be taken is there */
void page_run_sends(struct page *page, str method);
void page_run_stop(struct page *page);
void page_run_free(struct page *page);

/* page_read.c */
void page_read(struct page *page, const struct extraction *extraction, str html);
void page_read_cancel(struct page *page);

#endif
