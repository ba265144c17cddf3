#include "llm-proxy/jobs/job_output.h"

#include "base/mem.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 6 * JOB_OUTPUT_MAX + 4'096 /* bytes, each character escaped */ };

struct listener {
    struct job_outputs *outputs;
    struct recording *recording;
    char *run; /* owned */
    bool is_behind;
    struct listener *previous, *next;
};

struct job_output {
    struct job_outputs *outputs;
    const struct worker_job *job; /* whose lease may become another one */
    struct buf said;
    bool is_silent;
    struct job_output *previous, *next;
};

struct job_outputs {
    struct job_output *first;
    struct listener *listeners;
    size_t listener_count;
};

/* --- life --------------------------------------------------------------------------------------
 */

struct job_outputs *job_outputs_new(void)
{
    return mem_new(1, sizeof(struct job_outputs));
}

static void listener_free(struct listener *listener)
{
    struct job_outputs *outputs = listener->outputs;
    if (listener->previous) listener->previous->next = listener->next;
    if (listener->next) listener->next->previous = listener->previous;
    if (outputs->listeners == listener) outputs->listeners = listener->next;
    outputs->listener_count--;
    free(listener->run);
    free(listener);
}

void job_outputs_freep(struct job_outputs **ref)
{
    struct job_outputs *outputs = *ref;
    if (!outputs) return;
    while (outputs->listeners) listener_free(outputs->listeners);
    while (outputs->first) job_output_free(outputs->first);
    free(outputs);
    *ref = NULL;
}

struct job_output *job_output_new(struct job_outputs *outputs, const struct worker_job *job)
{
    struct job_output *output = mem_new(1, sizeof *output);
    output->outputs           = outputs;
    output->job               = job;
    output->said              = buf_init(JOB_OUTPUT_MAX);
    output->next              = outputs->first;
    if (output->next) output->next->previous = output;
    outputs->first = output;
    return output;
}

void job_output_free(struct job_output *output)
{
    if (!output) return;
    if (output->previous) output->previous->next = output->next;
    if (output->next) output->next->previous = output->previous;
    if (output->outputs->first == output) output->outputs->first = output->next;
    buf_done(&output->said);
    free(output);
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* `text` ends at `end`; without one it says that something is missing. */
static void put_line(const struct job_output *output, size_t end, str text, struct buf *out)
{
    const Pb__LeasedJob *job = output->job->leased;
    struct json_writer w     = json_writer_init(out);
    if (text.len == 0) (void)buf_put_byte(out, '!');
    (void)buf_printf(out, "%s:%zu ", job->id, end);
    json_begin_object(&w);
    json_put_text(&w, "job", str_from(job->id));
    json_put_text(&w, "task", str_from(job->task));
    if (*job->iteration) json_put_text(&w, "iteration", str_from(job->iteration));
    json_put_int(&w, "attempt", job->attempt);
    json_put_int(&w, "offset", (int64_t)(end - text.len));
    if (text.len > 0) json_put_text(&w, "text", text);
    json_end_object(&w);
    (void)buf_put_byte(out, '\n');
}

static void tell(struct listener *listener, const struct job_output *output, size_t end, str text)
{
    CLEANUP(buf_done) struct buf line = buf_init(LINE_MAX_BYTES);
    if (recording_is_full(listener->recording)) {
        listener->is_behind = true;
        return;
    }
    if (listener->is_behind) put_line(output, end - text.len, (str){}, &line);
    listener->is_behind = false;
    put_line(output, end, text, &line);
    recording_data(listener->recording, buf_str(&line));
}

void job_output_say(struct job_output *output, str text)
{
    if (text.len == 0 || output->is_silent) return;
    size_t before     = output->said.len;
    output->is_silent = !buf_put_str(&output->said, text);
    if (output->is_silent) text = (str){};
    struct listener *next = NULL;
    for (struct listener *at = output->outputs->listeners; at; at = next) {
        next = at->next;
        if (strcmp(at->run, output->job->leased->run) != 0) continue;
        tell(at, output, before + text.len, text);
    }
}

/* --- listeners ---------------------------------------------------------------------------------
 */

static void on_relieved(void *)
{
    /* What did not fit is gone. */
}

static void on_left(void *context)
{
    struct listener *listener = context;
    recording_drop(listener->recording);
    listener_free(listener);
}

bool job_outputs_listen(struct job_outputs *outputs, struct recordings *recordings,
                        struct subscriber *subscriber, uint64_t number, const char *run)
{
    if (outputs->listener_count >= JOB_LISTENERS_MAX) return false;
    struct listener *listener          = mem_new(1, sizeof *listener);
    struct answers_claim none          = {};
    const struct recording_owner owner = {
        .relieved = on_relieved, .abandoned = on_left, .context = listener};
    const Pb__LlmOpen open = PB__LLM_OPEN__INIT;
    listener->outputs      = outputs;
    listener->run          = mem_dup(run, strlen(run));
    listener->recording    = recording_new(recordings, &open, false, &none, &owner);
    listener->next         = outputs->listeners;
    if (listener->next) listener->next->previous = listener;
    outputs->listeners = listener;
    outputs->listener_count++;
    if (!recording_follow(listener->recording, subscriber, number)) {
        on_left(listener);
        return false;
    }
    recording_head(listener->recording, 200, NULL, 0);
    for (const struct job_output *at = outputs->first; at; at = at->next) {
        bool is_heard = strcmp(at->job->leased->run, run) == 0 && at->said.len > 0;
        if (is_heard) tell(listener, at, at->said.len, buf_str(&at->said));
    }
    return true;
}
