/**
 * secrets: the names in `use.secrets`, and what expressions do with `$secrets`. Internal to this
 * layer.
 *
 * A secret is put into what a call sends, at the moment it is sent, and may be asked about in a
 * condition. Anywhere else the value of an expression is stored with the run, so `***` stands in
 * its place there; a warning (V44) says so.
 */
#ifndef WORKFLOW_SECRETS_H
#define WORKFLOW_SECRETS_H

#include "workflow/reader.h"

/** What becomes of the value of the expressions that are being read: reader->secret_use. */
enum secret_use {
    SECRET_STORED, /* it is kept: V44 */
    SECRET_SENT,   /* it goes out with a call, evaluated again for each attempt */
    SECRET_TESTED, /* only whether it is true counts */
};

/** `use.secrets`: fills the workflow's. */
void secrets_read(struct reader *reader, json value, void *target);

/** The secrets that `program` names, as bits over workflow->secrets; all of them if it takes
 * `$secrets` as a whole. Findings: V13 (a name that is not declared), V44. */
uint64_t secrets_used(struct reader *reader, const struct expr *program,
                      const struct program_text *text);

/** `{use: <secret>}`: the text at hand names a secret, whose value stands here. NULL after a
 * finding. */
const struct template *secret_template(struct reader *reader, json name);

/** Warns (V43) of declared secrets that nothing names. */
void secrets_finish(struct reader *reader);

#endif
