/* Documents: parsed, asked for places, freed. */
#include "yaml/yaml.h"

#include "base/assert.h"
#include "base/mem.h"
#include "yaml/yaml_internal.h"

#include <stdlib.h>

static void parser_done(yaml_parser_t *parser)
{
    yaml_parser_delete(parser);
}

static uint32_t *offsets_new(str source)
{
    uint32_t *offsets = mem_new(source.len / YAML_STRIDE + 1, sizeof *offsets);
    size_t index      = 0;
    for (size_t i = 0; i < source.len; i++) {
        if (((unsigned char)source.ptr[i] & 0xc0) == 0x80) continue;
        if (index % YAML_STRIDE == 0) offsets[index / YAML_STRIDE] = (uint32_t)i;
        index++;
    }
    if (index % YAML_STRIDE == 0) offsets[index / YAML_STRIDE] = (uint32_t)source.len;
    return offsets;
}

static bool parse(struct yaml_report *report, struct yaml_document *document)
{
    CLEANUP(parser_done) yaml_parser_t parser;
    int is_initialised = yaml_parser_initialize(&parser);
    ASSERT(is_initialised && "out of memory");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)report->source.ptr,
                                 report->source.len);
    return yaml_build(&parser, report, document);
}

static status parse_text(str text, bool is_written_out, struct diagnostics *list,
                         struct yaml_document **ret_document, struct error *reterr)
{
    ASSERT(ret_document);
    if (str_starts_with(text, str_from("\xef\xbb\xbf"))) text = str_slice(text, 3, text.len);
    CLEANUP(yaml_freep) struct yaml_document *document = mem_new(1, sizeof *document);
    struct yaml_report report = {.list = list, .is_written_out = is_written_out};
    if (text.len > YAML_SIZE_MAX) {
        yaml_found(&report, (str){}, 1, 1, "split it", "the document is larger than 512 KiB");
    } else {
        document->source     = mem_dup(text.len ? text.ptr : "", text.len);
        document->source_len = yaml_join_surrogates(document->source, text.len);
        document->root       = json_null();
        document->root_node  = (struct yaml_node){.line = 1, .column = 1, .style = YAML_NOT_SCALAR};
        report.source        = (str){.ptr = document->source, .len = document->source_len};
        document->offsets    = offsets_new(report.source);
        if (parse(&report, document)) {
            *ret_document = TAKE(document);
            return STATUS_OK;
        }
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s", report.first.text);
}

status yaml_parse(str text, struct diagnostics *list, struct yaml_document **ret_document,
                  struct error *reterr)
{
    return parse_text(text, false, list, ret_document, reterr);
}

status yaml_parse_written_out(str text, struct diagnostics *list,
                              struct yaml_document **ret_document, struct error *reterr)
{
    return parse_text(text, true, list, ret_document, reterr);
}

void yaml_document_free(struct yaml_document *document)
{
    if (!document) return;
    json_unref(document->root);
    free(document->nodes);
    free(document->source);
    free(document->offsets);
    free(document);
}

void yaml_freep(struct yaml_document **document)
{
    yaml_document_free(*document);
}

json yaml_root(const struct yaml_document *document)
{
    return document->root;
}
