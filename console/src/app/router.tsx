import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Shell } from "@/app/Shell";
import { PAGES } from "@/app/pages";
import { shell } from "@/lib/strings";

const root = createRootRoute({ component: Shell, notFoundComponent: () => <p>{shell.noPage}</p> });

/** Filters live in the address: a page reads them with `useSearch({ strict: false })`. */
export const router = createRouter({
  routeTree: root.addChildren(
    PAGES.map(({ path, load }) => createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load, "Page") })),
  ),
  defaultPreload: "intent",
  scrollRestoration: true,
});
