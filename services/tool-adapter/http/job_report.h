/** job_report: how a call of the language itself ended, as its job's report. On the worker's loop.
 */
#ifndef TOOL_ADAPTER_JOB_REPORT_H
#define TOOL_ADAPTER_JOB_REPORT_H

#include "tool-adapter/http/http_job.h"
#include "worker/worker.h"

/** Takes the job. */
void job_report(struct worker_job *job, const struct http_job_result *result);

/** "Later": the job goes back and burns no attempt, and nobody else calls before. False: it does
 * not want that, or is too old for it. */
bool job_hand_back(struct worker_job *job, const struct http_job_result *result);

/** The kind of an error for which nothing was sent. */
enum error_kind job_error_kind(status code);

/** The class of an outcome (outcome.h), as the audit log names it; static. */
const char *job_class(const struct http_job_result *result, int http_status);

#endif
