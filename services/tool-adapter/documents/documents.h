/**
 * documents: the module behind `documents.split`: a document's text or bytes to chunks, by blocks.h
 * and split.h.
 *
 * Settings: {text | file: ID | blob: {base64} | blob: {file: ID}, mime (text/plain, text/markdown,
 * text/html), unit (chars, tokens), size (1000), overlap (100), by (paragraphs, sentences,
 * headings), id}. Answer: {chunks: [{key: "<id>#<n>", text, start, end, headings, sha256}]}, with
 * {file: {id, name, media_type, subject}} of a stored file; `start` and `end` count code points of
 * the document's text, so that an expression can slice it. The id is the stored file's, else the
 * document's SHA-256, if none is given; `mime` is the stored file's, else text/plain.
 *
 * What it does not do: PDF, office files; texts in other encodings than UTF-8.
 */
#ifndef TOOL_ADAPTER_DOCUMENTS_DOCUMENTS_H
#define TOOL_ADAPTER_DOCUMENTS_DOCUMENTS_H

#include "tool-adapter/connections/module.h"

enum { DOCUMENT_ID_MAX = 200 /* bytes: a key has a number behind it */ };

/** Functions of a struct module. */
extern const struct module_function documents_functions[];

#endif
