/* version.h - what --version and the API say; the build defines it. */
#ifndef VIVARIUM_VERSION_H
#define VIVARIUM_VERSION_H

#ifdef PACKAGE_VERSION
#define VIVARIUM_VERSION PACKAGE_VERSION
#else
#define VIVARIUM_VERSION "0.0.0"
#endif

#endif
