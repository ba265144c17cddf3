#include "cli/follow.h"

#include "base/clock.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 512, BAR_WIDTH = 24, LINE_MAX_BYTES = 512 };

struct view {
    const struct cli *cli;
    enum follow_style style;
    double percent;
    char phase[128];
    char last[160]; /* what happened last */
    uint32_t done, failed;
    bool has_line; /* the moving line is on the screen */
    int64_t started_ms;
};

/* --- events for people -------------------------------------------------------------------------
 */

/* The last segment of "/do/0/drafts/for/do/0/draft" is what people call the task. */
static str short_name(str reference)
{
    for (size_t i = reference.len; i > 0; i--) {
        if (reference.ptr[i - 1] == '/') return str_slice(reference, i, reference.len);
    }
    return reference;
}

static void put_detail(json data, struct buf *line)
{
    json error     = json_get_text(data, "error");
    json usage     = json_get_text(data, "usage");
    str title      = member(error, "title", "");
    str detail     = member(error, "detail", "");
    str queue      = member(data, "queue", "");
    int64_t tokens = 0;
    int64_t input  = 0;
    if (title.len > 0) (void)buf_printf(line, "  " STR_FMT, STR_ARG(title));
    if (detail.len > 0) (void)buf_printf(line, ": " STR_FMT, STR_ARG(str_slice(detail, 0, 120)));
    if (queue.len > 0) (void)buf_printf(line, "  queue " STR_FMT, STR_ARG(queue));
    if (!json_to_int(json_get_text(usage, "output_tokens"), &tokens)) return;
    (void)json_to_int(json_get_text(usage, "input_tokens"), &input);
    if (input + tokens == 0) return;
    (void)buf_printf(line, "  %" PRId64 "+%" PRId64 " tokens", input, tokens);
    str cost = member(usage, "cost_usd", "");
    if (cost.len > 0) (void)buf_printf(line, ", $" STR_FMT, STR_ARG(cost));
}

/* What a worker says of its job: any JSON, of which people are shown {progress, total, message}. */
static void put_progress(json said, struct buf *line)
{
    json at      = json_get_text(said, "progress");
    json total   = json_get_text(said, "total");
    str message  = member(said, "message", "");
    bool is_part = json_is_number(at) && json_is_number(total) && json_number(total) > 0;
    if (json_is(said, JSON_TEXT)) message = json_str(said);
    if (json_is_number(said)) at = said;
    if (is_part) {
        (void)buf_printf(line, "  %.0f %%", 100 * json_number(at) / json_number(total));
    } else if (json_is_number(at)) {
        (void)buf_printf(line, "  %g", json_number(at));
    }
    if (message.len > 0) (void)buf_printf(line, "  " STR_FMT, STR_ARG(str_slice(message, 0, 120)));
}

static void print_job_progress(json event)
{
    CLEANUP(buf_done) struct buf line = buf_init(LINE_MAX_BYTES * 4);
    str iteration                     = member(event, "iteration", "");
    (void)buf_printf(&line, "%5s  %12s  %-19s", "", "", "job.progress");
    (void)buf_printf(&line, "  " STR_FMT, STR_ARG(short_name(member(event, "task", ""))));
    if (iteration.len > 0) (void)buf_printf(&line, "[" STR_FMT "]", STR_ARG(iteration));
    put_progress(json_get_text(event, "progress"), &line);
    print_clean(stdout, "", buf_str(&line));
    (void)putchar('\n');
    (void)fflush(stdout);
}

void follow_print_event(json event)
{
    CLEANUP(buf_done) struct buf line = buf_init(LINE_MAX_BYTES * 4);
    str time                          = member(event, "time", "");
    str iteration                     = member(event, "iteration", "");
    int64_t attempt                   = member_int(event, "attempt");
    (void)buf_printf(&line, "%5" PRId64 "  " STR_FMT "  %-19.*s", member_int(event, "sequence"),
                     STR_ARG(str_slice(time, 11, 23)), STR_ARG(member(event, "type", "")));
    str task = short_name(member(event, "task", ""));
    if (task.len > 0) (void)buf_printf(&line, "  " STR_FMT, STR_ARG(task));
    if (iteration.len > 0) (void)buf_printf(&line, "[" STR_FMT "]", STR_ARG(iteration));
    if (attempt > 1) (void)buf_printf(&line, "  attempt %" PRId64, attempt);
    put_detail(json_get_text(event, "data"), &line);
    print_clean(stdout, "", buf_str(&line));
    (void)putchar('\n');
    (void)fflush(stdout);
}

/* --- the moving line ---------------------------------------------------------------------------
 */

static void draw(struct view *view)
{
    char bar[BAR_WIDTH + 1];
    int filled = (int)(view->percent / 100 * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH]                    = '\0';
    CLEANUP(buf_done) struct buf time = buf_init(64);
    print_duration(clock_mono_ms() - view->started_ms, &time);
    (void)printf("\r\033[K[%s] %3.0f %%  %s  ", bar, view->percent, time.ptr);
    print_clean(stdout, "", str_from(view->phase));
    print_clean(stdout, *view->phase ? ": " : "", str_from(view->last));
    (void)fflush(stdout);
    view->has_line = true;
}

static void wipe(struct view *view)
{
    if (view->has_line) (void)printf("\r\033[K");
    view->has_line = false;
    (void)fflush(stdout);
}

static void note_progress(struct view *view, json data)
{
    json percent  = json_get_text(data, "percent");
    str phase     = member(data, "phase", view->phase);
    double before = view->percent;
    bool is_phase = !str_is(phase, view->phase);
    if (json_is_number(percent)) view->percent = json_number(percent);
    if (is_phase) (void)snprintf(view->phase, sizeof view->phase, STR_FMT, STR_ARG(phase));
    if (view->cli->is_terminal || (view->percent <= before && !is_phase)) return;
    (void)printf("%3.0f %%", view->percent);
    print_clean(stdout, "  ", str_from(view->phase));
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void note_event(struct view *view, json event)
{
    str type      = member(event, "type", "");
    str task      = short_name(member(event, "task", ""));
    str iteration = member(event, "iteration", "");
    if (task.len == 0) return;
    CLEANUP(buf_done) struct buf what = buf_init(LINE_MAX_BYTES);
    json progress                     = json_get_text(event, "progress");
    (void)buf_printf(&what, " " STR_FMT, STR_ARG(short_name(type)));
    if (!json_is(progress, JSON_INVALID)) buf_clear(&what);
    put_progress(progress, &what);
    (void)snprintf(view->last, sizeof view->last, STR_FMT "%s" STR_FMT "%s" STR_FMT, STR_ARG(task),
                   iteration.len > 0 ? "[" : "", STR_ARG(iteration), iteration.len > 0 ? "]" : "",
                   STR_ARG(buf_str(&what)));
}

static bool show_progress(struct view *view, str name, json value)
{
    if (str_is(name, "progress")) {
        note_progress(view, value);
    } else {
        note_event(view, value);
    }
    if (view->cli->is_terminal) draw(view);
    return true;
}

static bool on_event(str name, str, str data, void *context)
{
    struct view *view               = context;
    CLEANUP(json_unrefp) json value = json_invalid();
    /* What models say while they say it is for programs: several at once are no text to read. */
    if (str_is(name, "job.output") && view->style != FOLLOW_JSON) return true;
    if (json_parse(data, NULL, &value, NULL, NULL) != STATUS_OK) return true;
    if (str_is(name, "end") || str_is(name, "goaway")) return true;
    switch (view->style) {
    case FOLLOW_PROGRESS: return show_progress(view, name, value);
    case FOLLOW_JSON: print_json_line(value); return true;
    case FOLLOW_EVENTS:
        if (str_is(name, "job.progress")) {
            print_job_progress(value);
        } else if (!str_is(name, "progress")) {
            follow_print_event(value);
        }
        return true;
    }
    return true;
}

enum cli_exit follow_run(struct api *api, const struct cli *cli, const char *run, uint64_t after,
                         enum follow_style style, int64_t until_ms)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES * 3);
    api_put_run(&path, run, "/events");
    (void)buf_printf(&path, "?after=%" PRIu64, after);
    struct view view   = {.cli = cli, .style = style, .started_ms = clock_mono_ms()};
    enum cli_exit code = api_follow(api, path.ptr, until_ms, on_event, &view);
    wipe(&view);
    return code;
}
