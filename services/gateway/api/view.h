/** view: what the services answer, as the JSON of the HTTP API. One function per resource. */
#ifndef GATEWAY_VIEW_H
#define GATEWAY_VIEW_H

#include "approval.pb-c.h"
#include "assistant.pb-c.h"
#include "base/buf.h"
#include "breaker.pb-c.h"
#include "dead_letter.pb-c.h"
#include "run.pb-c.h"
#include "system.pb-c.h"
#include "workflow.pb-c.h"
#include "json/json_write.h"

/** Members that are left out where there is nothing: an empty text, no time, no document. */
void view_text_if(struct json_writer *w, const char *key, const char *text);
void view_money(struct json_writer *w, const char *key, int64_t usd_nanos);
void view_time_if(struct json_writer *w, const char *key, int64_t unix_us);
void view_json_if(struct json_writer *w, const char *key, ProtobufCBinaryData document);

/** Times and ages are relative to `now_us` (Unix). */
void view_run(struct json_writer *w, const Pb__RunView *run, int64_t now_us);
void view_event(struct json_writer *w, const Pb__HistoryEvent *event);
void view_approval(struct json_writer *w, const Pb__ApprovalView *approval);
void view_workflow(struct json_writer *w, const Pb__WorkflowView *workflow,
                   Pb__Finding *const *warnings, size_t warning_count);
/** The members of the definition stand beside name and version, so that it can be put back. */
void view_assistant(struct json_writer *w, const Pb__AssistantView *assistant);
void view_finding(struct json_writer *w, const Pb__Finding *finding);
void view_dead_letter(struct json_writer *w, const Pb__DeadLetterView *letter);
void view_dead_letter_group(struct json_writer *w, const Pb__DeadLetterGroup *group);
void view_worker(struct json_writer *w, const Pb__WorkerStatus *worker);
/** The member `rate` of a limit, if it has one; and back: false: `per` is no duration. */
void view_rate(struct json_writer *w, uint32_t count, int64_t period_us);
/** The same under another name: so many in a time. */
void view_count_per(struct json_writer *w, const char *member, uint32_t count, int64_t period_us);
bool view_rate_read(json rate, uint32_t *ret_count, int64_t *ret_period_us);

/** The members of a queue that operators set; the object is open. */
void view_queue_settings(struct json_writer *w, const Pb__QueueView *queue);
void view_queue(struct json_writer *w, const Pb__QueueView *queue, int64_t now_us);

/** "open", "half_open" or "closed"; static. */
const char *view_breaker_state(Pb__BreakerState state);

/** "running", ...; the reverse is false for a word that is no status. */
const char *run_status_name(Pb__RunStatus run_status);
bool run_status_parse(str name, Pb__RunStatus *ret_status);
const char *approval_status_name(Pb__ApprovalStatus approval_status);
bool approval_status_parse(str name, Pb__ApprovalStatus *ret_status);
bool run_status_is_final(Pb__RunStatus run_status);

#endif
