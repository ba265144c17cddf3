#include "tool-adapter/browser/page_run.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tool-adapter/browser/keys.h"
#include "tool-adapter/browser/picture_file.h"

#include <stdio.h>
#include <stdlib.h>

static const struct page_step *step_of(const struct page *page)
{
    return &page->run->steps->items[page->run->at];
}

static struct loop *loop_of(const struct page *page)
{
    return page->browser->options.loop;
}

static void set_timer(struct page *page, struct loop_timer *timer, int64_t ms)
{
    loop_timer_set(loop_of(page), timer, page_now_ms(page) + ms);
}

/* --- what went wrong -------------------------------------------------------------------------- */

size_t page_run_place(const struct page *page, char *ret_text, size_t size)
{
    const struct page_run *run = page->run;
    if (!run || !run->has_begun || run->at == run->steps->count) return 0;
    int len =
        snprintf(ret_text, size, "/steps/%zu/%s: ", run->at, step_kind_name(step_of(page)->kind));
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

static void fail_step(struct page *page, const char *why)
{
    str selector = str_slice(step_of(page)->selector, 0, PROBE_SEEN_MAX);
    selector.len = utf8_valid_prefix(selector);
    if (selector.len > 0) {
        page_fault(page, "step", STATUS_OK, "`" STR_FMT "`: %s", STR_ARG(selector), why);
    } else {
        page_fault(page, "step", STATUS_OK, "%s", why);
    }
}

static void time_is_over(void *context)
{
    struct page *page    = context;
    struct page_run *run = page->run;
    char why[PROBE_SEEN_MAX + 64];
    const char *what = "the page does not answer";
    if (run->phase == RUN_LOOKING && run->seen[0]) what = run->seen;
    if (!page->is_loaded || run->is_leaving) what = "the page did not load";
    (void)snprintf(why, sizeof why, "after %d s: %s", (int)(step_of(page)->timeout_ms / 1'000),
                   what);
    fail_step(page, why);
}

/* --- from step to step ------------------------------------------------------------------------ */

static void begin_step(struct page *page);

static void end_step(struct page *page)
{
    struct page_run *run = page->run;
    run->has_waited      = step_of(page)->kind == STEP_WAIT_FOR;
    run->at++;
    loop_timer_clear(loop_of(page), &run->patience);
    if (run->at < run->steps->count) {
        begin_step(page);
        return;
    }
    page->result.data   = run->data;
    page->result.images = run->images;
    page_finish(page);
}

void page_run_consider(struct page *page)
{
    struct page_run *run = page->run;
    if (page->is_closing) return;
    if (run->phase == RUN_LOADING && page->is_loaded && !run->is_leaving) end_step(page);
}

/* Of a page that is asked for already this may be heard afterwards. */
void page_run_leaves(struct page *page)
{
    if (!page->is_loaded) return;
    page->run->is_leaving = true;
    set_timer(page, &page->run->leave, RUN_LEAVE_MS);
}

void page_run_has_left(struct page *page)
{
    page->run->is_leaving = false;
    loop_timer_clear(loop_of(page), &page->run->leave);
}

/* It went nowhere: a program of the system was called, or a window, or it was stopped. */
static void stays(void *context)
{
    struct page *page     = context;
    page->run->is_leaving = false;
    page_run_consider(page);
}

/* --- rest -------------------------------------------------------------------------------------
 */

static void has_rested(json, const char *, void *context)
{
    struct page *page = context;
    page->run->phase  = RUN_LOADING;
    page_run_consider(page);
}

/* Without a world it has just gone elsewhere. */
static void rest_in(json world, const char *error, void *context)
{
    if (error) {
        has_rested(json_invalid(), NULL, context);
    } else {
        page_rest(context, world, has_rested);
    }
}

static void rest(struct page *page)
{
    page->run->phase = RUN_RESTING;
    page_enter_world(page, rest_in);
}

/* --- mouse and keyboard ----------------------------------------------------------------------- */

/* An error: the page went elsewhere meanwhile, and where it is shows what became of it. */
static void has_acted(json, const char *, void *context)
{
    rest(context);
}

static void send_mouse(struct page *page, const char *type, const struct probe *at, int64_t clicks,
                       wire_answer_fn *answer)
{
    static const char *const buttons[] = {"left", "right", "middle"};
    json event                         = page_object_of("type", json_text_from(type));
    json_object_put_text(&event, "x", json_real(at->x));
    json_object_put_text(&event, "y", json_real(at->y));
    if (clicks > 0) {
        json_object_put_text(&event, "button", json_text_from(buttons[step_of(page)->button]));
        json_object_put_text(&event, "clickCount", json_int(clicks));
    }
    page_send(page, &page->session, "Input.dispatchMouseEvent", event, answer);
}

static void click(struct page *page, const struct probe *at)
{
    int64_t count = step_of(page)->count;
    send_mouse(page, "mouseMoved", at, 0, NULL);
    for (int64_t i = 1; i <= count; i++) {
        send_mouse(page, "mousePressed", at, i, NULL);
        send_mouse(page, "mouseReleased", at, i, i == count ? has_acted : NULL);
    }
}

/* `event` is taken. */
static void press(struct page *page, json event, wire_answer_fn *answer)
{
    json up      = json_ref(event);
    bool is_text = json_is(json_get_text(event, "text"), JSON_TEXT);
    json_object_put_text(&event, "type", json_text_from(is_text ? "keyDown" : "rawKeyDown"));
    page_send(page, &page->session, "Input.dispatchKeyEvent", event, NULL);
    json_object_put_text(&up, "type", json_text_from("keyUp"));
    (void)json_object_remove(&up, str_from("text"));
    page_send(page, &page->session, "Input.dispatchKeyEvent", up, answer);
}

/* One character after the other, each when the page has taken the one before. */
static void type_next(json, const char *, void *context)
{
    struct page *page    = context;
    struct page_run *run = page->run;
    str text             = step_of(page)->text;
    size_t from          = run->typed;
    if (from == text.len) {
        rest(page);
        return;
    }
    (void)utf8_next(text, &run->typed);
    press(page, key_of_character(str_slice(text, from, run->typed)), type_next);
}

static void write_text(struct page *page)
{
    const struct page_step *step = step_of(page);
    json key                     = json_invalid();
    if (step->kind == STEP_PRESS) {
        press(page, json_ref(step->value), has_acted);
    } else if (step->kind == STEP_TYPE) {
        type_next(json_invalid(), NULL, page);
    } else if (step->text.len > 0) {
        page_send(page, &page->session, "Input.insertText",
                  page_object_of("text", json_text_lossy(step->text)), has_acted);
    } else {
        status code = key_read(str_from("Delete"), &key, NULL);
        ASSERT(code == STATUS_OK);
        press(page, key, has_acted);
    }
}

/* --- looking ---------------------------------------------------------------------------------- */

static void has_probed(json result, const char *error, void *context)
{
    struct page *page    = context;
    struct page_run *run = page->run;
    struct probe probe;
    probe_read(result, error, page->request.mask, &probe);
    if (probe.seen[0]) memcpy(run->seen, probe.seen, sizeof run->seen);
    switch (probe.next) {
    case PROBE_AGAIN: page_look_again(page); return; /* also if it has just gone elsewhere */
    case PROBE_WRONG: fail_step(page, probe.seen); return;
    case PROBE_DONE:
        if (step_of(page)->kind == STEP_WAIT_FOR) {
            end_step(page);
        } else {
            rest(page);
        }
        return;
    case PROBE_CLICK:
    case PROBE_WRITE: break;
    }
    run->phase = RUN_ACTING;
    if (probe.next == PROBE_CLICK) {
        click(page, &probe);
    } else {
        write_text(page);
    }
}

static void probe_in(json world, const char *error, void *context)
{
    struct page *page = context;
    if (error) {
        page_look_again(page);
    } else {
        page_probe(page, world, step_of(page), page->run->steps->hosts, has_probed);
    }
}

void page_run_look(struct page *page)
{
    page_enter_world(page, probe_in);
}

/* --- what is taken ---------------------------------------------------------------------------- */

bool page_run_takes(const struct page *page)
{
    return page->run->phase == RUN_SETTLING;
}

void page_run_settle(struct page *page)
{
    static const char *const formats[] = {"png", "jpeg", "webp"};
    const struct page_step *step       = step_of(page);
    struct page_request *wanted        = &page->request;
    page->run->phase                   = RUN_SETTLING;
    page->triggered_ms                 = 0;
    page->is_capturing                 = false;
    wanted->product                    = step->kind == STEP_EXTRACT ? PAGE_HTML : PAGE_PICTURE;
    wanted->is_whole                   = step->is_whole;
    if (wanted->product == PAGE_PICTURE) {
        json_unref(wanted->settings);
        wanted->settings = page_object_of("format", json_text_from(formats[step->format]));
        if (step->format > 0) {
            json_object_put_text(&wanted->settings, "quality", json_int(step->quality));
        }
    }
    page_consider(page);
}

/* False: it was too much, and that was the page's end. */
static bool make_room(struct page *page, size_t size)
{
    page->run->bytes += size;
    if (page->run->bytes <= PAGE_ANSWER_MAX) return true;
    page_fault(page, "too_large", STATUS_OK, "what the steps make has more than %d bytes",
               PAGE_ANSWER_MAX);
    return false;
}

static void take_picture(struct page *page, str base64)
{
    const struct page_step *step = step_of(page);
    json file                    = picture_file_new((enum picture_format)step->format, base64);
    if (json_is(file, JSON_INVALID)) {
        page_fault(page, "browser", STATUS_UNAVAILABLE, "the browser made something else");
    } else if (make_room(page, base64.len)) {
        json_object_put(&page->run->images, step->text, file);
        end_step(page);
        return;
    }
    json_unref(file);
}

void page_run_take_data(struct page *page, json data, size_t size)
{
    if (!make_room(page, size)) return;
    for (size_t i = 0; i < json_count(data); i++) {
        json_object_put_key(&page->run->data, json_key_value_at(data, i),
                            json_ref(json_value_at(data, i)));
    }
    end_step(page);
}

void page_run_take(struct page *page, str content)
{
    page->is_capturing = false;
    if (step_of(page)->kind == STEP_EXTRACT) {
        page_read(page, step_of(page)->extraction, content);
    } else {
        take_picture(page, content);
    }
}

/* --- steps ------------------------------------------------------------------------------------ */

static void has_navigated(json result, const char *error, void *context)
{
    struct page *page = context;
    json text         = json_get_text(result, "errorText");
    bool is_same      = !json_is(json_get_text(result, "loaderId"), JSON_TEXT);
    if (error) {
        page_went_wrong(page, error);
    } else if (json_is(text, JSON_TEXT) && json_str(text).len > 0) {
        if (!page->first) {
            page_fault(page, "network", STATUS_UNAVAILABLE, "the page cannot be shown");
        }
    } else if (is_same) { /* another place of the same document */
        page_run_has_left(page);
        page->is_loaded = true;
        page_run_consider(page);
    }
}

static void navigate(struct page *page)
{
    page->run->phase      = RUN_LOADING;
    page->run->is_leaving = true; /* without a limit of its own: it is asked for, or refused */
    page->is_loaded       = false;
    page_send(page, &page->session, "Page.navigate",
              page_object_of("url", json_text_lossy(step_of(page)->text)), has_navigated);
}

static void begin_step(struct page *page)
{
    struct page_run *run         = page->run;
    const struct page_step *step = step_of(page);
    bool is_key                  = step->kind == STEP_PRESS && step->selector.len == 0;
    run->phase                   = is_key ? RUN_ACTING : RUN_LOOKING;
    run->typed                   = 0;
    run->seen[0]                 = '\0';
    set_timer(page, &run->patience, step->timeout_ms);
    if (step->kind >= STEP_CLICK && step->kind <= STEP_PRESS) run->has_acted = true;
    if (step->kind == STEP_GOTO) {
        navigate(page);
    } else if (step->kind == STEP_EXTRACT || step->kind == STEP_SCREENSHOT) {
        page_run_settle(page);
    } else if (is_key) {
        write_text(page);
    } else {
        page_run_look(page);
    }
}

void page_run_begin(struct page *page)
{
    page->run->has_begun = true;
    begin_step(page);
}

bool page_run_names(const struct page *page, const struct url *url)
{
    for (size_t i = 0; i < page->run->steps->count; i++) {
        const struct page_step *step = &page->run->steps->items[i];
        struct url to;
        if (step->kind != STEP_GOTO || !url_parse(step->text, &to)) continue;
        if (url_same_host(&to, url)) return true;
    }
    return false;
}

bool page_run_is_going(const struct page *page)
{
    return page->run && page->run->at < page->run->steps->count && step_of(page)->kind == STEP_GOTO;
}

bool page_run_has_waited(const struct page *page)
{
    return page->run && page->run->has_waited && page->request.product == PAGE_HTML;
}

/* What the page sends by a method that is not safe (RFC 9110, section 9.2.1) may have changed
 * something. */
void page_run_sends(struct page *page, str method)
{
    bool is_safe = str_is(method, "GET") || str_is(method, "HEAD") || str_is(method, "OPTIONS");
    if (page->run && page->run->has_acted && !is_safe) page->run->has_changed = true;
}

/* --- life ------------------------------------------------------------------------------------- */

struct page_run *page_run_new(struct page *page, struct page_steps *steps)
{
    struct page_run *run = mem_new(1, sizeof *run);
    *run                 = (struct page_run){.steps    = page_steps_ref(steps),
                                             .data     = json_object_new(8),
                                             .images   = json_object_new(2),
                                             .patience = {.fire = time_is_over, .context = page},
                                             .leave    = {.fire = stays, .context = page}};
    return run;
}

void page_run_stop(struct page *page)
{
    if (!page->run) return;
    loop_timer_clear(loop_of(page), &page->run->patience);
    loop_timer_clear(loop_of(page), &page->run->leave);
    page_read_cancel(page);
}

void page_run_free(struct page *page)
{
    struct page_run *run = page->run;
    if (!run) return;
    page_run_stop(page);
    page_steps_unref(run->steps);
    json_unref(run->data);
    json_unref(run->images);
    free(TAKE(page->run));
}
