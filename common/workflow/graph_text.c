/*
 * The words in a graph: a task's name and what it does, in one line each. They come from the
 * definition as its author wrote it, not from what it was compiled to.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "workflow/graph_internal.h"
#include "json/json_text.h"

enum { LINE_BYTES_MAX = 16 << 10 /* of a line before it is cut */ };

/* One line of at most GRAPH_LINE_MAX characters: blanks and line ends become one blank. */
static const char *line_of(const struct graph *graph, str text)
{
    CLEANUP(buf_done) struct buf line = buf_init(LINE_BYTES_MAX);
    size_t count                      = 0;
    bool is_blank                     = true; /* none at the beginning */
    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        uint32_t c  = utf8_next(text, &at);
        bool is_gap = c <= ' ' || c == 0x7F;
        if (is_gap && is_blank) continue;
        if (count == GRAPH_LINE_MAX - 1 && at < text.len) {
            (void)buf_put_text(&line, "…");
            break;
        }
        if (is_gap) {
            (void)buf_put_byte(&line, ' ');
        } else {
            (void)buf_put_str(&line, str_slice(text, from, at));
        }
        is_blank = is_gap;
        count++;
    }
    if (line.len > 0 && line.ptr[line.len - 1] == ' ') line.len--;
    const char *copy = arena_strdup(graph->arena, buf_str(&line));
    ASSERT(copy != NULL);
    return copy;
}

static const char *words(const struct graph *graph, const char *before, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(LINE_BYTES_MAX);
    (void)buf_put_text(&text, before);
    if (json_is(value, JSON_TEXT)) {
        (void)buf_put_str(&text, str_slice(json_str(value), 0, LINE_BYTES_MAX / 2));
    } else if (!json_is(value, JSON_INVALID)) {
        CLEANUP(buf_done) struct buf compact = buf_init(LINE_BYTES_MAX / 2);
        (void)json_print(value, JSON_COMPACT, &compact);
        (void)buf_put_str(&text, compact.is_full ? str_from("…") : buf_str(&compact));
    }
    /* A cut may have come within a character. */
    str whole = buf_str(&text);
    return line_of(graph, str_slice(whole, 0, utf8_valid_prefix(whole)));
}

static json member(json value, const char *one, const char *two)
{
    return json_get_text(json_get_text(value, one), two);
}

static const char *call_words(const struct graph *graph, json definition)
{
    json call = json_get_text(definition, "call");
    if (!json_is(call, JSON_TEXT) || !str_is(json_str(call), "http")) {
        return words(graph, "", call);
    }
    json method   = member(definition, "with", "method");
    json endpoint = member(definition, "with", "endpoint");
    if (json_is(endpoint, JSON_OBJECT)) endpoint = json_get_text(endpoint, "uri");
    CLEANUP(buf_done) struct buf before = buf_init(LINE_BYTES_MAX);
    if (json_is(method, JSON_TEXT)) {
        (void)buf_put_str(&before, str_slice(json_str(method), 0, LINE_BYTES_MAX / 4));
        (void)buf_put_byte(&before, ' ');
    }
    return words(graph, buf_str(&before).ptr, endpoint);
}

static const char *loop_words(const struct graph *graph, const struct task *task, json definition)
{
    CLEANUP(buf_done) struct buf before = buf_init(LINE_BYTES_MAX);
    (void)buf_printf(&before, "for each $%s", task->loop.each);
    if (task->loop.parallel) (void)buf_printf(&before, ", %u at once", task->loop.parallel);
    (void)buf_put_text(&before, " in ");
    return words(graph, buf_str(&before).ptr, member(definition, "for", "in"));
}

static const char *listen_words(const struct graph *graph, const struct task *task, json definition)
{
    json to = member(definition, "listen", "to");
    if (task->listen.approval) {
        return words(graph, "approval: ",
                     member(member(definition, "metadata", "tutti"), "approval", "title"));
    }
    json one = json_get_text(to, "one");
    if (!json_is(one, JSON_INVALID)) return words(graph, "listen ", member(one, "with", "type"));
    bool is_all  = !json_is(json_get_text(to, "all"), JSON_INVALID);
    size_t count = json_count(json_get_text(to, is_all ? "all" : "any"));
    if (count == 0) return "listen to every event";
    const char *line =
        arena_printf(graph->arena, "listen to %s of %zu", is_all ? "all" : "any", count);
    ASSERT(line != NULL);
    return line;
}

static const char *set_words(const struct graph *graph, json definition)
{
    json set = json_get_text(definition, "set");
    if (!json_is(set, JSON_OBJECT)) return words(graph, "set ", set);
    CLEANUP(buf_done) struct buf keys = buf_init(LINE_BYTES_MAX);
    for (size_t i = 0; i < json_count(set) && keys.len < 4 * GRAPH_LINE_MAX; i++) {
        (void)buf_put_text(&keys, i ? ", " : "set ");
        (void)buf_put_str(&keys, str_slice(json_key_at(set, i), 0, LINE_BYTES_MAX / 4));
    }
    str whole = buf_str(&keys);
    return line_of(graph, str_slice(whole, 0, utf8_valid_prefix(whole)));
}

static const char *raise_words(const struct graph *graph, json definition)
{
    json error = member(definition, "raise", "error");
    if (json_is(error, JSON_TEXT)) return words(graph, "raise ", error);
    json title = json_get_text(error, "title");
    return words(graph, "raise ", json_is(title, JSON_TEXT) ? title : json_get_text(error, "type"));
}

/* `{ minutes: 5, seconds: 1 }` is read as it is said: 5 minutes 1 second. */
static const char *wait_words(const struct graph *graph, json definition)
{
    json wait = json_get_text(definition, "wait");
    if (!json_is(wait, JSON_OBJECT)) return words(graph, "wait ", wait);
    CLEANUP(buf_done) struct buf line = buf_init(LINE_BYTES_MAX);
    (void)buf_put_text(&line, "wait");
    for (size_t i = 0; i < json_count(wait); i++) {
        str unit      = json_key_at(wait, i);
        int64_t count = 0;
        (void)json_to_int(json_value_at(wait, i), &count);
        if (count == 1 && unit.len > 0) unit = str_slice(unit, 0, unit.len - 1);
        (void)buf_printf(&line, " %lld " STR_FMT, (long long)count, STR_ARG(unit));
    }
    return line_of(graph, buf_str(&line));
}

static const char *run_words(const struct graph *graph, json definition)
{
    json workflow = member(definition, "run", "workflow");
    if (json_is(workflow, JSON_INVALID)) return call_words(graph, definition);
    return words(graph, "run workflow ", json_get_text(workflow, "name"));
}

static const char *detail_of(const struct graph *graph, const struct task *task)
{
    json definition = graph_definition(graph->workflow, task);
    switch ((int)task->kind) { /* what is left runs or calls something */
    case TASK_CALL: return call_words(graph, definition);
    case TASK_DO: return "";
    case TASK_EXTENSION: {
        CLEANUP(json_unrefp) json name = json_text_lossy(str_from(task->extension.name));
        return words(graph, "extension ", name);
    }
    case TASK_EMIT: {
        json event = member(definition, "emit", "event");
        return words(graph, "emit ", member(event, "with", "type"));
    }
    case TASK_FOR: return loop_words(graph, task, definition);
    case TASK_FORK: return task->fork.is_compete ? "fork: the first one wins" : "fork";
    case TASK_LISTEN: return listen_words(graph, task, definition);
    case TASK_RAISE: return raise_words(graph, definition);
    case TASK_SET: return set_words(graph, definition);
    case TASK_SWITCH: return "switch";
    case TASK_TRY: return "try";
    case TASK_WAIT: return wait_words(graph, definition);
    default: return run_words(graph, definition);
    }
}

void graph_texts(const struct graph *graph, const struct task *task, struct graph_node *node)
{
    node->name   = line_of(graph, str_from(task->name));
    node->detail = detail_of(graph, task);
    if (!task->condition) return;
    const char *condition =
        words(graph, "if ", json_get_text(graph_definition(graph->workflow, task), "if"));
    const char *between = node->detail[0] ? " · " : "";
    const char *both    = arena_printf(graph->arena, "%s%s%s", condition, between, node->detail);
    ASSERT(both != NULL);
    node->detail = line_of(graph, str_from(both));
}

const char *graph_case_text(const struct graph *graph, const struct switch_case *item,
                            json definition)
{
    CLEANUP(buf_done) struct buf before = buf_init(LINE_BYTES_MAX);
    (void)buf_put_str(&before, str_slice(str_from(item->name), 0, LINE_BYTES_MAX / 4));
    if (!item->when) {
        str whole = buf_str(&before);
        return line_of(graph, str_slice(whole, 0, utf8_valid_prefix(whole)));
    }
    (void)buf_put_text(&before, ": ");
    return words(graph, buf_str(&before).ptr, json_get_text(definition, "when"));
}
