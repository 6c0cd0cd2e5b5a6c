/* From text to a YAML document: one, nested no deeper than a robot file is, or a sentence why not.
 */
#include "daemon/config_yaml.h"

#include <errno.h>

#define DEPTH_MAX 16 /* a robot file has five; libyaml takes minutes over a hundred thousand */

static struct place at_mark(const struct walk *w, const yaml_mark_t *m)
{
    return (struct place){.line = w->is_set ? 0 : (int)m->line + 1, .column = (int)m->column + 1};
}

/* Bytes that are no text have no mark, but an offset. */
static struct place at_offset(const struct walk *w, const char *text, size_t offset)
{
    struct place at = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        at.column = text[i] == '\n' ? 1 : at.column + 1;
        at.line += text[i] == '\n';
    }
    at.line = w->is_set ? 0 : at.line;
    return at;
}

static int no_yaml(const struct walk *w, const yaml_parser_t *p, const char *text, size_t n)
{
    const bool bytes = p->error == YAML_READER_ERROR && p->problem_offset < n;
    const struct place at =
        bytes ? at_offset(w, text, p->problem_offset) : at_mark(w, &p->problem_mark);
    return config_bad_at(w, &at, "this is no YAML: %s",
                         p->problem != NULL ? p->problem : "cannot be read");
}

static int deeper(yaml_event_type_t type)
{
    return (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) -
           (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT);
}

/* Event by event, before anything is built of them. */
static int look_over(const struct walk *w, yaml_parser_t *parser, const char *text, size_t n)
{
    int depth = 0, documents = 0, rc = 0;
    for (bool end = false; rc == 0 && !end;) {
        yaml_event_t e;
        if (yaml_parser_parse(parser, &e) == 0) {
            return no_yaml(w, parser, text, n);
        }
        const struct place at = at_mark(w, &e.start_mark);
        depth += deeper(e.type);
        documents += e.type == YAML_DOCUMENT_START_EVENT;
        if (depth > DEPTH_MAX) {
            rc = config_bad_at(w, &at, "nested deeper than %d levels; a robot file has five",
                               DEPTH_MAX);
        } else if (documents > 1) {
            rc = config_bad_at(w, &at, "a second document begins here; one file is one robot");
        }
        end = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
    return rc;
}

int config_document(const struct walk *w, const char *text, size_t n, yaml_document_t *ret_doc)
{
    int rc = 0;
    for (int pass = 0; rc == 0 && pass < 2; pass++) {
        yaml_parser_t parser;
        if (yaml_parser_initialize(&parser) == 0) {
            return why(w->ret_why, w->cap, -ENOMEM, "out of memory for %s", w->file);
        }
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
        if (pass == 0) {
            rc = look_over(w, &parser, text, n);
        } else if (yaml_parser_load(&parser, ret_doc) == 0) {
            rc = no_yaml(w, &parser, text, n);
        }
        yaml_parser_delete(&parser);
    }
    return rc;
}
