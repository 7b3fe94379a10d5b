"""The vocabulary that everything else imports: errors, the model, the contracts of tables."""
