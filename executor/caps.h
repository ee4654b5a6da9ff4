/* caps.h - what the daemon keeps of root. */
#ifndef VIVARIUM_CAPS_H
#define VIVARIUM_CAPS_H

enum { CAPS_MESSAGE_BYTES = 256 };

/* Drop every capability but the few that are needed, from all sets and the
 * bounding set; set no_new_privs. 0; or -EPERM with the one that is missing, or
 * could not be dropped, in message[]. */
int caps_keep_needed(char message[CAPS_MESSAGE_BYTES]);

/* The needed ones as text, for doctor and docs. */
const char *caps_needed_text(void);

#endif
