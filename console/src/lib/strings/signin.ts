export const signin = {
  title: "Sign in",
  name: "Name",
  password: "Password",
  submit: "Sign in",
  ended: "Your session has ended. Sign in to go on where you were.",
} as const;
