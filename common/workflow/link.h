/**
 * link: documents that a definition names by URL, while it is read. Internal to this layer.
 *
 * One mechanism for all of them: functions of catalogs, functions by URL, schemas. A document is
 * given by whoever reads the definition, or was pinned when it was registered; one that is neither
 * is noted as needed, and its place in the workflow stays empty. What is used is pinned, so a
 * workflow that is stored is read again without asking anybody.
 *
 * A document becomes a source like the definition: tasks and schemas are read in it where it
 * stands, and findings name its URL, line and column.
 */
#ifndef WORKFLOW_LINK_H
#define WORKFLOW_LINK_H

#include "workflow/reader.h"

/** A document that was asked for, whatever became of it. */
struct link {
    struct link *next;
    struct source source;
    struct yaml_document *yaml;            /* owned; NULL: pinned, or not there */
    json value;                            /* frozen, the workflow's own; if it is open */
    const struct template *authentication; /* that it is read with; NULL: none */
    uint32_t depth;                        /* 1: the definition itself names it */
    const char *failure;                   /* LINK_FAILED: why it could not be read */
    enum link_state {
        LINK_OPEN,
        LINK_NEEDED,  /* noted in the workflow's `needs` */
        LINK_REFUSED, /* findings say why */
        LINK_FAILED,  /* whoever was to read it could not: link_refuse() */
        LINK_ABSENT,  /* nobody was to read it: link_refuse() */
    } state;
};

/** The document at `url`, which the value at hand names; the same one for the same URL. NULL after
 * a finding (V01, V14) about the URL. */
const struct link *link_open(struct reader *reader, str url, const struct template *authentication);

/** Says (V14) at the value at hand why a document is not there, if nothing has said it yet. */
void link_refuse(struct reader *reader, const struct link *link);

/** Frees what links hold beyond the reader's arenas. */
void links_done(struct reader *reader);

/** Says whether a document could be read from `url`; else there is a finding (V14) at the value at
 * hand. */
bool link_url_check(struct reader *reader, str url);

/** What the value at hand names: `reference`, made absolute by the URL of the document that it
 * stands in. False after a finding (V14); what = "a function". */
bool link_url(struct reader *reader, str reference, const char *what, struct buf *ret_url);

/** Reads in another source for a while. */
struct visit {
    const struct source *source; /* where to return to */
    struct jump jump;
};
struct visit visit_begin(struct reader *reader, const struct source *source, const char *pointer);
void visit_end(struct reader *reader, struct visit *visit);

/** An endpoint of a document, which is read before there is a run: struct fixed_endpoint *. V06,
 * V14 and V21 for what a run would have to compute. */
struct fixed_endpoint {
    str uri; /* empty: after a finding */
    const struct template *authentication;
};
void fixed_endpoint_read(struct reader *reader, json value, void *target);

/** Notes that `name` stood for `source`, which the workflow owns. */
void pin_add(struct reader *reader, str name, json source);

/** Says whether it is a document at a URL; else it is a function of the server's catalog. */
bool pin_is_document(const struct workflow_pin *pin);

#endif
