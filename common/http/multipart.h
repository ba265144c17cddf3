/**
 * multipart: a decoder for forms with files (multipart/form-data).
 *
 * Fed with pieces cut anywhere; gives the same parts for every way of cutting. Nothing but the
 * fields of one part is kept: data comes as views of what is fed. Strict where senders agree: lines
 * end in CRLF, each part has a Content-Disposition of `form-data` with a name, and nothing but
 * blanks follows a boundary on its line. What stands before the first boundary and behind the last
 * is skipped. Quotes and line ends in names are taken as browsers write them (%22, %0D, %0A);
 * `filename*` and fields of other names are ignored.
 *
 * Sources: RFC 7578; RFC 2046, section 5.1, for the framing; WHATWG HTML, "Multipart form data",
 * for the escapes.
 *
 * Not thread-safe. Neither data nor names are checked for UTF-8.
 */
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>

enum {
    MULTIPART_BOUNDARY_MAX = 70,      /* characters; RFC 2046 */
    MULTIPART_HEAD_MAX     = 4 << 10, /* bytes of the fields of one part, the empty line included */
    MULTIPART_PARTS_MAX    = 32,
};

/** What is said of a part; views that live until the next part begins. */
struct multipart_part {
    str name;
    str file_name; /* .ptr == NULL: none was given. As the client has it, with slashes and all */
    str type;      /* Content-Type; "": none was given */
};

enum multipart_step {
    MULTIPART_MORE, /* all of the input is taken */
    MULTIPART_PART, /* `part` begins; its data follows */
    MULTIPART_DATA, /* a piece of its data, which is not empty */
    MULTIPART_END,  /* the form is complete; the rest of the input means nothing */
    MULTIPART_BAD,
};

/** A decoder in place: multipart_init(), then multipart_done(). `part` and `part_count` are for
 * readers, all else is the decoder's own. */
struct multipart {
    struct multipart_part part;
    unsigned part_count; /* that have begun */

    enum {
        MULTIPART_IN_PREAMBLE,
        MULTIPART_IN_DATA,
        MULTIPART_AT_BOUNDARY, /* behind it: what does it begin? */
        MULTIPART_AT_DASH,
        MULTIPART_IN_PADDING,
        MULTIPART_AT_LF,
        MULTIPART_IN_HEAD,
        MULTIPART_AT_END,
    } state;
    char delimiter[sizeof "\r\n--" + MULTIPART_BOUNDARY_MAX];
    size_t delimiter_len;
    size_t matched;  /* bytes of the delimiter that ended the last piece */
    struct buf head; /* of `part` */
};

/** Says whether a Content-Type is that of a form. */
bool multipart_is_form(str content_type);

/** Begins, with the boundary that a Content-Type names. INVALID_ARGUMENT: it names none, or one
 * that RFC 2046 does not allow; even then multipart_done() is fine. */
status multipart_init(struct multipart *form, str content_type, struct error *reterr);
void multipart_done(struct multipart *form);

/**
 * Takes bytes off the front of `*input`; call again until it is MORE, END or BAD, and then only
 * after MORE. Data is a view of `*input`, or of the decoder if it is what looked like a boundary at
 * the end of the piece before; so in a form that is fed whole, the pieces of a part lie end to end.
 * BAD: `reterr` says which part, and what is wrong.
 */
enum multipart_step multipart_next(struct multipart *form, str *input, str *ret_data,
                                   struct error *reterr);

/** When there is no more: INVALID_ARGUMENT says where the form breaks off. */
status multipart_finish(const struct multipart *form, struct error *reterr);

#endif
