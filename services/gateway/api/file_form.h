/**
 * file_form: a file and what is said of it, in a form (multipart/form-data) that lies in memory as
 * a whole.
 *
 *     file                        the file; its Content-Type and filename count
 *     name, subject, expires_in   as the parameters of these names; each once, if at all
 *
 * Any other part is refused: one with a slip in its name must not be passed over. Pure; any thread.
 */
#ifndef GATEWAY_FILE_FORM_H
#define GATEWAY_FILE_FORM_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

enum { FILE_FORM_FIELD_MAX = 1'000 /* bytes of a field that is not the file */ };

/** Texts whose .ptr is NULL were not given. */
struct file_form {
    str data;      /* a view of the body, like the fields */
    str type;      /* Content-Type of the file; of the arena, as the next */
    str file_name; /* as the client has it */
    str name;
    str subject;
    str expires_in;
};

/** INVALID_ARGUMENT: it is no such form, or goes over a limit of it (http/multipart.h); the text
 * says which part is wrong. */
status file_form_read(str content_type, str body, struct arena *arena, struct file_form *ret_form,
                      struct error *reterr);

#endif
