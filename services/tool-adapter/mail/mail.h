/**
 * mail: the engine behind `smtp` requests of manifests: settings to a mail, the mail to the server
 * of the connection.
 *
 * Settings: {from, to, cc, bcc, reply_to, subject, text, html, attachments, headers}, or {verify:
 * true} for a look whether the server would have us. Of the connection: `host`, `port`, `tls`
 * (starttls, implicit, none), `user`, `from`; the secret `password`. The answer is {status: the
 * reply's code, body: {reply, message_id, accepted}}. No reply after the whole mail has gone out is
 * a failure that may have been one or not; before that nothing was taken.
 */
#ifndef TOOL_ADAPTER_MAIL_MAIL_H
#define TOOL_ADAPTER_MAIL_MAIL_H

#include "tool-adapter/connections/module.h"

struct mail {
    struct module module;              /* set `pool`; the rest is mail_init()'s */
    const struct egress_rules *egress; /* borrowed */
    const char *ca_file;               /* borrowed; NULL: the system's */
};

void mail_init(struct mail *mail, struct work_pool *pool, const struct egress_rules *egress,
               const char *ca_file);

/** The engine's `start`; `self` is a struct mail. Its `cancel` is module_cancel(). */
status mail_start(void *self, const struct engine_request *request,
                  const struct engine_handlers *handlers, struct engine_call **ret_call,
                  struct error *reterr);

#endif
