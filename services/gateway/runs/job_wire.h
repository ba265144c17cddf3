/**
 * job_wire: jobs between the users' own workers and the scheduler: names, tokens, results.
 *
 * The scheduler knows a worker of a user as "<namespace>:<name>", so that tenants cannot take each
 * other's names. A lease token of the API holds the scheduler's and the name of the worker: the
 * gateway keeps nothing.
 */
#ifndef GATEWAY_JOB_WIRE_H
#define GATEWAY_JOB_WIRE_H

#include "gateway/api/api.h"
#include "job.pb-c.h"

enum {
    WORKER_NAME_CHARS_MAX = 64,      /* of a user's worker */
    RESULT_MAX            = 1 << 20, /* bytes of an output or error */
};

/** "<namespace>:<name>", living as long as the call. */
const char *worker_name_of(struct api_call *call, str name);

/** What a token holds. False: it is none of ours. */
struct job_token {
    ProtobufCBinaryData token;
    const char *worker;
};
bool job_token_read(struct api_call *call, str text, struct job_token *ret_token);
const char *job_token_text(struct api_call *call, ProtobufCBinaryData token, const char *worker);

/** A report from the members of a body: `output`, `error` or neither (released). False: the call
 * was answered. All of it lives as long as the call. */
enum job_result { JOB_RESULT_OUTPUT, JOB_RESULT_ERROR, JOB_RESULT_RELEASED };
bool job_report_read(struct api_call *call, json body, enum job_result result, const char *job,
                     Pb__JobReport *ret_report, const char **ret_worker);

/** Sends reports of one worker to one partition. `failed` may be NULL, as in struct api_ask. */
void job_reports_send(struct api_call *call, uint16_t partition, const char *worker,
                      Pb__JobReport **reports, size_t count, api_then *then, api_then *failed);

/** A leased job as the API shows it. */
void job_leased_view(struct api_call *call, struct json_writer *w, const Pb__LeasedJob *job,
                     const char *worker);

#endif
