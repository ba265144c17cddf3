#include "gateway/events/event_frames.h"

#include "base/attr.h"
#include "gateway/api/view.h"

#include <inttypes.h>

/* Which events a client wants: a bit per group. */
static const struct {
    const char *name;
    const char *prefix; /* of the type */
} groups[] = {
    {"run", "run."},          {"task", "task."},
    {"job", "job."},          {"approval", "approval."},
    {"signal", "signal."},    {"signal", "event."},
    {"child", "child."},      {"compensation", "compensation."},
    {"progress", "progress"}, {"output", "output"},
};
static_assert(EVENT_GROUPS_ALL == (1U << ARRAY_LEN(groups)) - 1);

bool event_is_wanted(unsigned wanted, const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (str_starts_with(str_from(type), str_from(groups[i].prefix))) return wanted & 1U << i;
    }
    return true;
}

bool event_position_parse(str text, uint64_t *ret_position)
{
    uint64_t value = 0;
    size_t i       = 0;
    for (; i < text.len && text.ptr[i] != '~'; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 18) return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (i == 0) return false;
    *ret_position = value;
    return true;
}

bool event_groups_parse(str text, unsigned *ret_groups)
{
    unsigned bits = 0;
    size_t from   = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != ',') continue;
        unsigned found = 0;
        for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
            if (str_is(str_slice(text, from, i), groups[g].name)) found |= 1U << g;
        }
        if (found == 0) return false;
        bits |= found;
        from = i + 1;
    }
    *ret_groups = bits;
    return true;
}

void event_frame_print(const Pb__HistoryEvent *event, struct buf *out)
{
    (void)buf_printf(out, "id: %" PRIu64 "\nevent: %s\ndata: ", event->sequence, event->type);
    struct json_writer w = json_writer_init(out);
    view_event(&w, event);
    (void)buf_put_text(out, "\n\n");
}

void event_frame_job_progress(const Pb__JobProgress *job, struct buf *out)
{
    (void)buf_put_text(out, "event: job.progress\ndata: ");
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_put_text(&w, "job", str_from(job->job));
    json_put_text(&w, "task", str_from(job->task));
    view_text_if(&w, "iteration", job->iteration);
    view_json_if(&w, "progress", job->progress_json);
    json_end_object(&w);
    (void)buf_put_text(out, "\n\n");
}

void event_frame_progress(uint32_t permille, const char *phase, struct buf *out)
{
    (void)buf_put_text(out, "event: progress\ndata: ");
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_member(&w, "percent");
    json_write_value(&w, json_real((double)permille / 10));
    if (*phase) json_put_text(&w, "phase", str_from(phase));
    json_end_object(&w);
    (void)buf_put_text(out, "\n\n");
}
