/** job_question: what the job of a call asks a person (run/question.h). */
#ifndef SCHEDULER_JOB_QUESTION_H
#define SCHEDULER_JOB_QUESTION_H

#include "scheduler/decide/decide.h"

/** Its job is queued again: the approval is over without an answer, since something else ends the
 * job. Nothing, if it does not ask. */
void job_question_close(struct decision *decision, struct activation *activation, bool is_expired);

#endif
