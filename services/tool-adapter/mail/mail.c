#include "tool-adapter/mail/mail.h"

#include "base/clock.h"
#include "base/hash.h"
#include "http/smtp.h"
#include "tool-adapter/mail/message.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 10'000, PORT_DEFAULT = 587, PORT_MAX = 65'535 };

/* What a call is about; in its arena, but for the message. */
struct letter {
    struct mail *mail;
    struct smtp_request request;
    struct smtp_result result;
    const char **to;
    str id;
    struct buf message;
};

/* A text with a NUL behind it; NULL if there is none. */
static status text_of(struct module_call *call, json settings, const char *name,
                      const char **ret_text, struct error *reterr)
{
    json value = json_get_text(settings, name);
    str copy   = {};
    *ret_text  = NULL;
    if (json_is(value, JSON_INVALID) || json_is(value, JSON_NULL)) return STATUS_OK;
    TRY(module_text(call->arena, settings, name, NULL, &copy, reterr));
    if (memchr(copy.ptr, '\0', copy.len)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` has a NUL in it", name);
    }
    *ret_text = copy.ptr;
    return STATUS_OK;
}

/* --- addresses -------------------------------------------------------------------------------- */

struct mailboxes {
    struct mailbox items[MESSAGE_ADDRESSES_MAX];
    size_t count;
};

static status mailbox_of(struct module_call *call, json value, const char *name,
                         struct mailbox *ret_mailbox, struct error *reterr)
{
    str copy           = {};
    struct error error = {};
    if (!json_is(value, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` must be an address", name);
    }
    TRY(module_copy(call->arena, json_str(value), &copy, reterr));
    status code = mailbox_read(copy, ret_mailbox, &error);
    return code == STATUS_OK ? STATUS_OK : fail(reterr, code, "`%s`: %s", name, error.text);
}

/* One address or a list of them. */
static status mailboxes_of(struct module_call *call, json settings, const char *name,
                           struct mailboxes *list, struct error *reterr)
{
    json value   = json_get_text(settings, name);
    bool is_list = json_is(value, JSON_ARRAY);
    if (json_is(value, JSON_INVALID) || json_is(value, JSON_NULL)) return STATUS_OK;
    for (size_t i = 0; i < (is_list ? json_count(value) : 1); i++) {
        if (list->count == MESSAGE_ADDRESSES_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "more than %d recipients",
                        MESSAGE_ADDRESSES_MAX);
        }
        TRY(mailbox_of(call, is_list ? json_at(value, i) : value, name, &list->items[list->count],
                       reterr));
        list->count++;
    }
    return STATUS_OK;
}

/* --- parts ------------------------------------------------------------------------------------ */

static status data_of(struct module_call *call, json one, bytes *ret_data, struct error *reterr)
{
    json text    = json_get_text(one, "text");
    json encoded = json_get_text(one, "base64");
    if (json_is(text, JSON_TEXT) == json_is(encoded, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`attachments`: one of `text`, `base64` and `file` must be given");
    }
    if (json_is(text, JSON_TEXT)) {
        str copy = {};
        TRY(module_copy(call->arena, json_str(text), &copy, reterr));
        *ret_data = bytes_from(copy);
        return STATUS_OK;
    }
    size_t size = json_str(encoded).len / 4 * 3;
    void *raw   = NULL;
    TRY(module_alloc(call->arena, size, 1, &raw, reterr));
    if (!base64_decode(json_str(encoded), raw, &size)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`attachments`: `base64` is none");
    }
    *ret_data = (bytes){.ptr = raw, .len = size};
    return STATUS_OK;
}

/* A stored file: its name and its type count where none are given. Its bytes are there until the
 * message is written. */
static status stored_of(struct module_call *call, const struct engine_request *request, json one,
                        struct message_attachment *ret_attachment, struct error *reterr)
{
    str id                         = json_str(json_get_text(one, "file"));
    const struct stored_file *file = file_set_find(request->files, id);
    bool is_other                  = json_is(json_get_text(one, "text"), JSON_TEXT) ||
                    json_is(json_get_text(one, "base64"), JSON_TEXT);
    if (!file || is_other) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`attachments`: one of `text`, `base64` and `file` must be given");
    }
    TRY(module_text(call->arena, one, "name", file->name, &ret_attachment->name, reterr));
    TRY(module_text(call->arena, one, "mime", file->media_type, &ret_attachment->mime, reterr));
    ret_attachment->data = file->data;
    return STATUS_OK;
}

static status attachment_of(struct module_call *call, const struct engine_request *request,
                            json one, struct message_attachment *ret_attachment,
                            struct error *reterr)
{
    if (json_is(json_get_text(one, "file"), JSON_TEXT)) {
        return stored_of(call, request, one, ret_attachment, reterr);
    }
    TRY(module_text(call->arena, one, "name", NULL, &ret_attachment->name, reterr));
    TRY(module_text(call->arena, one, "mime", "", &ret_attachment->mime, reterr));
    return data_of(call, one, &ret_attachment->data, reterr);
}

static status attachments_of(struct module_call *call, const struct engine_request *request,
                             struct message *message, struct error *reterr)
{
    json settings = request->settings;
    json list     = json_get_text(settings, "attachments");
    size_t count  = json_is(list, JSON_ARRAY) ? json_count(list) : 0;
    if (count > MESSAGE_ATTACHMENTS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "more than %d attachments",
                    MESSAGE_ATTACHMENTS_MAX);
    }
    void *memory = NULL;
    TRY(module_alloc(call->arena, count, sizeof *message->attachments, &memory, reterr));
    struct message_attachment *attachments = memory;
    for (size_t i = 0; i < count; i++) {
        TRY(attachment_of(call, request, json_at(list, i), &attachments[i], reterr));
    }
    message->attachments      = attachments;
    message->attachment_count = count;
    return STATUS_OK;
}

static status headers_of(struct module_call *call, json settings, struct message *message,
                         struct error *reterr)
{
    json map     = json_get_text(settings, "headers");
    size_t count = json_is(map, JSON_OBJECT) ? json_count(map) : 0;
    if (count > MESSAGE_HEADERS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "more than %d headers", MESSAGE_HEADERS_MAX);
    }
    void *memory = NULL;
    TRY(module_alloc(call->arena, count, sizeof *message->headers, &memory, reterr));
    struct message_header *headers = memory;
    for (size_t i = 0; i < count; i++) {
        if (!json_is(json_value_at(map, i), JSON_TEXT)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "`headers` must be texts");
        }
        TRY(module_copy(call->arena, json_key_at(map, i), &headers[i].name, reterr));
        TRY(module_copy(call->arena, json_str(json_value_at(map, i)), &headers[i].value, reterr));
    }
    message->headers      = headers;
    message->header_count = count;
    return STATUS_OK;
}

/* --- the mail --------------------------------------------------------------------------------- */

static status recipients_of(struct module_call *call, json settings, struct message *message,
                            struct letter *letter, struct error *reterr)
{
    void *memory = NULL;
    TRY(module_alloc(call->arena, 1, sizeof(struct mailboxes), &memory, reterr));
    struct mailboxes *all = memory;
    TRY(mailboxes_of(call, settings, "to", all, reterr));
    size_t to = all->count;
    TRY(mailboxes_of(call, settings, "cc", all, reterr));
    message->to       = all->items;
    message->to_count = to;
    message->cc       = all->items + to;
    message->cc_count = all->count - to;
    TRY(mailboxes_of(call, settings, "bcc", all, reterr));
    if (all->count == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`to`: a mail needs a recipient");
    }
    TRY(module_alloc(call->arena, all->count, sizeof *letter->to, &memory, reterr));
    letter->to = memory;
    for (size_t i = 0; i < all->count; i++) {
        str copy = {};
        TRY(module_copy(call->arena, all->items[i].address, &copy, reterr));
        letter->to[i] = copy.ptr;
    }
    letter->request.to       = letter->to;
    letter->request.to_count = all->count;
    return STATUS_OK;
}

static status write_message(struct module_call *call, const struct engine_request *request,
                            struct letter *letter, struct error *reterr)
{
    json settings          = request->settings;
    struct message message = {.now_us = clock_unix_us()};
    json from              = json_get_text(settings, "from");
    json reply_to          = json_get_text(settings, "reply_to");
    TRY(mailbox_of(call, from, "from", &message.from, reterr));
    message.has_reply_to = json_is(reply_to, JSON_TEXT);
    if (message.has_reply_to) {
        TRY(mailbox_of(call, reply_to, "reply_to", &message.reply_to, reterr));
    }
    TRY(recipients_of(call, settings, &message, letter, reterr));
    TRY(module_text(call->arena, settings, "subject", NULL, &message.subject, reterr));
    TRY(module_text(call->arena, settings, "text", "", &message.text, reterr));
    TRY(module_text(call->arena, settings, "html", "", &message.html, reterr));
    TRY(attachments_of(call, request, &message, reterr));
    TRY(headers_of(call, settings, &message, reterr));

    const char *id =
        message_id(request->idempotency_key, mailbox_domain(&message.from), call->arena);
    str sender = {};
    str domain = {};
    TRY(module_copy(call->arena, message.from.address, &sender, reterr));
    TRY(module_copy(call->arena, mailbox_domain(&message.from), &domain, reterr));
    if (!id) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the mail is too large");
    message.id              = str_from(id);
    letter->id              = message.id;
    letter->request.from    = sender.ptr;
    letter->request.name    = domain.ptr;
    letter->message         = buf_init(MESSAGE_SIZE_MAX);
    status code             = message_put(&message, &letter->message, reterr);
    letter->request.message = buf_str(&letter->message);
    return code;
}

/* --- the server ------------------------------------------------------------------------------- */

static status read_server(struct module_call *call, const struct engine_request *request,
                          struct letter *letter, struct error *reterr)
{
    static const char *const kinds[]             = {"starttls", "implicit", "none", NULL};
    static const enum smtp_security securities[] = {SMTP_STARTTLS, SMTP_IMPLICIT, SMTP_PLAIN};
    struct smtp_request *smtp                    = &letter->request;
    str host                                     = {};
    str password                                 = {};
    int64_t port                                 = 0;
    unsigned kind                                = 0;
    struct error ignored                         = {};
    TRY(module_text(call->arena, request->config, "host", NULL, &host, reterr));
    TRY(module_int(request->config, "port", PORT_DEFAULT, 1, PORT_MAX, &port, reterr));
    TRY(module_choice(request->config, "tls", kinds, &kind, reterr));
    TRY(text_of(call, request->config, "user", &smtp->user, reterr));
    status code = request->secrets ? request->secrets->find("password", &password, &ignored,
                                                            request->secrets->context)
                                   : STATUS_NOT_FOUND;
    if (smtp->user && code != STATUS_OK) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the connection has a `user` and lacks the secret `password`");
    }
    TRY(module_copy(call->arena, password, &password, reterr));
    smtp->host          = host.ptr;
    smtp->port          = (uint16_t)port;
    smtp->security      = securities[kind];
    smtp->password      = password.ptr;
    smtp->name          = "localhost";
    smtp->egress        = letter->mail->egress;
    smtp->ca_file       = letter->mail->ca_file;
    smtp->allow_private = request->allow_private;
    smtp->connect_ms    = request->total_ms < CONNECT_MS ? request->total_ms : CONNECT_MS;
    smtp->total_ms      = request->total_ms;
    smtp->is_cancelled  = &call->is_cancelled;
    return STATUS_OK;
}

static void letter_release(struct module_call *call)
{
    struct letter *letter = call->about;
    buf_done(&letter->message);
}

static status letter_new(struct module_call *call, const struct engine_request *request,
                         struct letter **ret_letter, struct error *reterr)
{
    void *memory = NULL;
    TRY(module_alloc(call->arena, 1, sizeof **ret_letter, &memory, reterr));
    *ret_letter         = memory;
    (*ret_letter)->mail = call->module->context;
    call->about         = *ret_letter;
    return read_server(call, request, *ret_letter, reterr);
}

static status read_send(struct module_call *call, const struct engine_request *request,
                        struct error *reterr)
{
    struct letter *letter = NULL;
    TRY(letter_new(call, request, &letter, reterr));
    return write_message(call, request, letter, reterr);
}

static status read_verify(struct module_call *call, const struct engine_request *request,
                          struct error *reterr)
{
    struct letter *letter = NULL;
    return letter_new(call, request, &letter, reterr);
}

static status run(struct module_call *call, struct error *reterr)
{
    struct letter *letter = call->about;
    status code           = smtp_perform(&letter->request, &letter->result, reterr);
    call->was_sent        = letter->result.was_sent;
    call->answer_status   = letter->result.reply;
    return code;
}

static json answer(struct module_call *call)
{
    const struct letter *letter = call->about;
    bool is_taken               = letter->result.reply >= 200 && letter->result.reply < 300;
    json body                   = json_object_new(3);
    json_object_put_text(&body, "reply", json_text_lossy(str_from(letter->result.text)));
    if (!letter->request.from) return body;
    CLEANUP(buf_done) struct buf id = buf_init(MESSAGE_LINE_MAX);
    (void)buf_printf(&id, "<" STR_FMT ">", STR_ARG(letter->id));
    json_object_put_text(&body, "message_id", json_text_new(buf_str(&id)));
    json_object_put_text(&body, "accepted",
                         json_int(is_taken ? (int64_t)letter->request.to_count : 0));
    return body;
}

static const struct module_function functions[] = {
    {.name    = "smtp.send",
     .read    = read_send,
     .run     = run,
     .answer  = answer,
     .release = letter_release},
    {.name    = "smtp.verify",
     .read    = read_verify,
     .run     = run,
     .answer  = answer,
     .release = letter_release},
    {},
};

void mail_init(struct mail *mail, struct work_pool *pool, const struct egress_rules *egress,
               const char *ca_file)
{
    *mail = (struct mail){.module  = {.pool = pool, .functions = functions, .context = mail},
                          .egress  = egress,
                          .ca_file = ca_file};
}

status mail_start(void *self, const struct engine_request *request,
                  const struct engine_handlers *handlers, struct engine_call **ret_call,
                  struct error *reterr)
{
    struct mail *mail            = self;
    struct engine_request called = *request;
    bool verifies                = json_is_truthy(json_get_text(request->settings, "verify"));
    called.function              = verifies ? "smtp.verify" : "smtp.send";
    return module_start(&mail->module, &called, handlers, ret_call, reterr);
}
