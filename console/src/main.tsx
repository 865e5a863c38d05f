import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "@mantine/spotlight/styles.css";
import "@/app/styles.css";
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Gate } from "@/app/Gate";
import { router } from "@/app/router";
import { theme, variables } from "@/app/theme";
import { DeskError } from "@/lib/api";
import { applyPrefs } from "@/lib/prefs";

const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
setNonce(nonce);
applyPrefs();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 1000,
      retry: (times, error) => times < 2 && error instanceof DeskError && error.status === 503,
      networkMode: "always",
    },
    mutations: { networkMode: "always", retry: false },
  },
});

const place = document.getElementById("root");
if (place)
  createRoot(place).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="dark" cssVariablesResolver={variables} getStyleNonce={() => nonce}>
        <QueryClientProvider client={queries}>
          <ModalsProvider>
            <Notifications position="bottom-right" />
            <Gate>
              <RouterProvider router={router} />
            </Gate>
          </ModalsProvider>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
