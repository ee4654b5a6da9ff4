/* root_image.h - the programs and libraries that sandboxes see, and nothing else.
 *
 * An image is a tmpfs with copies of the files of listed Debian packages, of
 * Python's own, and of the libraries that these need. Copies, not binds: a bind
 * for each of some thousand files would make every sandbox's mount namespace
 * slow to copy, and a bind of the host's folders shows what else is in them. It is
 * made once and shared by all sandboxes, so nobody is charged for reading it, and
 * no lock on a file in it reaches the host. */
#ifndef VIVARIUM_ROOT_IMAGE_H
#define VIVARIUM_ROOT_IMAGE_H

#include <limits.h>

enum { ROOT_IMAGE_MESSAGE_BYTES = 256 };

struct root_image {
	char path[PATH_MAX]; /* its folder; "" for none */
};

/* Where images are mounted, in the daemon's own mount namespace. Once, first.
 * 0 or -errno. Needs CAP_SYS_ADMIN, as do the others. */
int root_images_open(void);

/* Make the image `name` from packages (names between spaces) and what the program
 * behind `program_fd` needs. Packages that are not installed are named in
 * message[], which is else empty. 0; or -errno with the reason in message[]. */
int root_image_make(struct root_image *image, const char *name, const char *packages,
		    int program_fd, char message[ROOT_IMAGE_MESSAGE_BYTES]);

/* No new sandbox can use it; those that do keep it. */
void root_image_free(struct root_image *image);

#endif
