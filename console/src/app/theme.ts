import { createTheme, type CSSVariablesResolver } from "@mantine/core";

const sans = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';

export const theme = createTheme({
  fontFamily: sans,
  headings: { fontFamily: sans, fontWeight: "600", sizes: { h1: { fontSize: "18px" }, h2: { fontSize: "14px" }, h3: { fontSize: "13px" } } },
  fontSizes: { xs: "11px", sm: "12px", md: "13px", lg: "15px", xl: "20px" },
  primaryColor: "blue",
  primaryShade: 8,
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
  autoContrast: true,
  colors: {
    dark: ["#d5dae2", "#b3bac6", "#98a1b0", "#7c8696", "#3a414d", "#2a303a", "#20252d", "#171b21", "#111419", "#0c0e12"],
  },
});

/** Meanings of colour, by scheme; the pair is chosen in styles.css. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  dark: { "--mantine-color-body": "#111419", "--mantine-color-dimmed": "#98a1b0", "--desk-card": "#171b21", "--desk-line": "#2a303a" },
  light: { "--mantine-color-body": "#f6f7f9", "--mantine-color-anchor": "#0b5aa8", "--mantine-color-dimmed": "#566070", "--desk-card": "#ffffff", "--desk-line": "#d9dee6" },
});
